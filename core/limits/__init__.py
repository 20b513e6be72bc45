"""How much is taken from one tenant, one client, one address: counted in Valkey, said in the standard headers."""
