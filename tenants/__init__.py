"""Tenants: what they are, where they live, what is being done to them, and the schemas they own."""
