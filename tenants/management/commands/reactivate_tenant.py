"""manage.py reactivate_tenant"""

from tenants.management.state_command import StateCommand
from tenants.services.lifecycle import reactivate_tenant


class Command(StateCommand):
    help = "Lets a suspended tenant work again; jobs that waited go on."
    change = staticmethod(reactivate_tenant)
