"""The tenant portal and the tenant's API. Owns no business rule."""
