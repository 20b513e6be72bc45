"""Who calls the API: a bearer token of the realm, or the browser's session."""
