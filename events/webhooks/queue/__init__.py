"""Which webhooks have something to send, and who is at it: one table for all tenants, so nobody walks from one to the next."""
