"""People, operators, their realms and sign-in, tokens, roles."""
