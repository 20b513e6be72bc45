"""manage.py suspend_tenant"""

from tenants.management.state_command import StateCommand
from tenants.services.lifecycle import suspend_tenant


class Command(StateCommand):
    help = "Stops a tenant everywhere at once: pages, API, sign-in, jobs. Its data stays."
    change = staticmethod(suspend_tenant)
