"""The tenant's API."""
