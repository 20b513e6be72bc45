"""What a tenant decides about itself: name, look, language, time zone. Stands in the tenant's schema."""
