"""API clients: programs with a name, permissions and an end, that get tokens by the client credentials grant."""
