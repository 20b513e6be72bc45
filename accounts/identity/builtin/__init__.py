"""The built-in issuer: django-oauth-toolkit in every realm's schema, under /op/, with keys of its own for each realm."""
