"""manage.py reset_second_factor"""

from accounts.management.owner_command import OwnerCommand
from accounts.operators.models import Operator
from accounts.people.models import Person
from accounts.second_factors import reset_operator, reset_person
from core.actors import SYSTEM

DESCRIPTION = """\
Takes the authenticator app and the recovery codes of somebody away who has lost both: of an operator, or with --tenant
of somebody of a tenant's team. The password alone signs in then; where a second factor is required they set up another
one on the way. Their sessions end, and they get a mail. Make sure that it is them who ask. Safe to repeat.
"""
EPILOG = """\
example
  manage.py reset_second_factor ada@acme.example --tenant acme-corp
"""


class Command(OwnerCommand):
    help = DESCRIPTION
    epilog = EPILOG
    done = "has no second factor any more, and is told so by mail."

    def help_owner(self, owner: Person | Operator) -> None:
        if isinstance(owner, Person):
            reset_person(person_id=owner.pk, actor=SYSTEM)
        else:
            reset_operator(operator_id=owner.pk, actor=SYSTEM)
