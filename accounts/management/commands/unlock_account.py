"""manage.py unlock_account"""

from accounts.lockouts import unlock_operator, unlock_person
from accounts.management.owner_command import OwnerCommand
from accounts.operators.models import Operator
from accounts.people.models import Person
from core.actors import SYSTEM

DESCRIPTION = """\
Lets somebody try to sign in again at once whose account was locked after too many failures: an operator, or with
--tenant somebody of a tenant's team. Safe to repeat. Admins and super admins can do the same on their pages, and the
owner by setting another password by mail.
"""
EPILOG = """\
example
  manage.py unlock_account ada@acme.example --tenant acme-corp
"""


class Command(OwnerCommand):
    help = DESCRIPTION
    epilog = EPILOG
    done = "can try to sign in again."

    def help_owner(self, owner: Person | Operator) -> None:
        if isinstance(owner, Person):
            unlock_person(person_id=owner.pk, actor=SYSTEM)
        else:
            unlock_operator(operator_id=owner.pk, actor=SYSTEM)
