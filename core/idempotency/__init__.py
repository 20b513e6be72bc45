"""Idempotency-Key: a creating call that is sent twice is carried out once."""
