"""manage.py reactivate_tenant"""

from tenants.management.state_command import StateCommand
from tenants.services.lifecycle import reactivate_tenant


class Command(StateCommand):
    help = """\
Lets a suspended tenant work again; jobs that waited go on.
"""
    epilog = """\
example
  manage.py reactivate_tenant acme-corp --reason 'Invoice 2026-113 paid'

exit codes
  0  active again      1  there is no such tenant, or it is not suspended
"""
    change = staticmethod(reactivate_tenant)
