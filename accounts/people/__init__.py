"""A tenant's people and their roles. Stands in the tenant's schema."""
