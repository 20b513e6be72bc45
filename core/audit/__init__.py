"""The audit log: who did what to what, and why. The platform has one, and every tenant has its own."""

from core.audit.services import record

__all__ = ["record"]
