"""The outbox: one table for all tenants, so that one relay reads it."""
