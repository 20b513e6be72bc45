"""Files that people put there, or that hold what people wrote: sent so that no browser runs or keeps them."""

from django.http import HttpResponseBase


def make_harmless(response: HttpResponseBase) -> None:
    """Give the answer headers with which nothing in it runs, nothing is guessed about it, and no cache keeps it."""
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
