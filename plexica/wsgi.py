"""Entry point of the web server."""

import os
from contextlib import suppress

from django.core.wsgi import get_wsgi_application
from django.db import OperationalError, connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "plexica.settings")
application = get_wsgi_application()

# A login that no wall holds back stops the start (core.tenancy.login). A database that is away does not: pages say so.
with suppress(OperationalError):
    connection.ensure_connection()
connection.close()
