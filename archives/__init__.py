"""Archives of tenants: exports, and what imports and clones are made from."""
