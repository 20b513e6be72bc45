"""manage.py suspend_tenant"""

from tenants.management.state_command import StateCommand
from tenants.services.lifecycle import suspend_tenant


class Command(StateCommand):
    help = """\
Stops a tenant everywhere at once: pages, API, sign-in, jobs. Its data stays, and `reactivate_tenant` lets it work again.
"""
    epilog = """\
example
  manage.py suspend_tenant acme-corp --reason 'Invoice 2026-113 unpaid'

exit codes
  0  suspended      1  there is no such tenant, or it is not active
"""
    change = staticmethod(suspend_tenant)
