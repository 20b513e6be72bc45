"""manage.py tenant_shell"""

import code
import json
import sys
from argparse import ArgumentParser
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from django.apps import apps
from django.core.management.base import CommandError
from django.db import transaction

from core.commands import TeachingCommand
from core.errors import PlexicaError
from core.tenancy import enter
from core.tenancy.router import tenant_labels
from tenants.selectors import get_tenant

DESCRIPTION = """\
A Python shell inside one tenant: its schema, and its database role. So it can do what the tenant's own requests can do,
and nothing to other tenants or to the platform. All models of tenants are there by name, `tenant` is who you are in.
"""
EPILOG = """\
examples
  manage.py tenant_shell acme-corp
      >>> Person.objects.count()
  manage.py tenant_shell acme-corp -c "print(Person.objects.count())"
  manage.py tenant_shell acme-corp -c "print(Role.objects.count())" --json

exit codes
  0  done      1  there is no such tenant or schema, or the code of -c raised an error
"""
GONE = "It has no schema: it is {status}."


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("-c", "--command", metavar="CODE", help="run this in one transaction instead of asking")
        parser.add_argument("--json", action="store_true", help="with -c: print one JSON object with what it printed")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tenant = get_tenant(options["slug"])
        except PlexicaError as error:
            raise CommandError(f"{error.title}: {options['slug']}") from None
        if tenant.status in tenant.GONE:
            raise CommandError(GONE.format(status=tenant.status))
        if options["json"] and options["command"] is None:
            raise CommandError("--json needs -c.")
        with enter(tenant.ref):
            names = _names(tenant)
            if options["command"] is None:
                code.interact(banner=_banner(tenant), local=names, exitmsg="")
            else:
                self._run(options["command"], names, as_json=options["json"])

    def _run(self, text: str, names: dict[str, Any], *, as_json: bool) -> None:
        out = StringIO()
        try:
            with redirect_stdout(out if as_json else sys.stdout), transaction.atomic():
                exec(compile(text, "<-c>", "exec"), names)  # noqa: S102 - that is what a shell is for
        except Exception as error:  # noqa: BLE001 - whatever the code raises ends the command with a sentence
            if as_json:
                self.stdout.write(json.dumps({"ok": False, "output": out.getvalue(), "error": _sentence(error)}))
            raise CommandError(_sentence(error)) from (None if as_json else error)
        if as_json:
            self.stdout.write(json.dumps({"ok": True, "output": out.getvalue(), "error": ""}))


def _names(tenant: Any) -> dict[str, Any]:
    models = {model.__name__: model for model in apps.get_models() if model._meta.app_label in tenant_labels()}
    return {**models, "tenant": tenant}


def _banner(tenant: Any) -> str:
    return f"{tenant.slug} ({tenant.status}), schema {tenant.schema_name}, role {tenant.role_name}. Ctrl-D ends."


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
