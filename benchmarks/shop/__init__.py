"""An app of tenants for fleet-migrate: a table, and a migration that adds a column and an index to it."""
