"""What a tenant's subscribers have handled: it makes a repeated delivery harmless. Stands in the tenant's schema."""
