"""What changes tenants and operations."""
