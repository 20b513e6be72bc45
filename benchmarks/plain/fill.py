"""Makes the tables, one person with one role and a session; prints the session's key and how many queries a read takes."""

import json
import os
from typing import Any

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.plain.settings")
    django.setup()
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.cached_db import SessionStore
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from benchmarks.plain import models

    kept: Any = models  # the types of our own settings do not know this project's models
    call_command("migrate", run_syncdb=True, verbosity=0)
    role, _ = kept.Role.objects.get_or_create(name="admin", defaults={"label": "Admin"})
    person, is_new = kept.Person.objects.get_or_create(email="a@plain.example", defaults={"name": "A", "subject": "a"})
    if is_new:
        kept.RoleAssignment.objects.create(person=person, role=role)
    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.save()
    client = Client()
    client.cookies["sessionid"] = str(session.session_key)
    client.get("/api/v1/me/")
    with CaptureQueriesContext(connection) as queries:
        assert client.get("/api/v1/me/").json()["roles"] == ["admin"]
    print(json.dumps({"key": session.session_key, "queries": len(queries)}))


if __name__ == "__main__":
    main()
