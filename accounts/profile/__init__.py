"""Pages about oneself that both portals have: sessions, and how one signs in. Each portal draws them in its own shell."""
