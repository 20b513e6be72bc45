"""Events: `publish` writes to the outbox in the caller's transaction; delivery comes with the relay."""

from events.publishing import publish

__all__ = ["publish"]
