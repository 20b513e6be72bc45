"""The operators' console and the platform's API. Owns no business rule."""
