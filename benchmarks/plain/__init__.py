"""What a user would write instead: plain Django and DRF, no tenants. Same tables, same query, same session engine."""
