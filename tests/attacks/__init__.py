"""Attacks that must fail, each with what a real issuer gave: the list is docs/developers/attacks.md."""
