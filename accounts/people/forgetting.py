"""Takes the names of removed people out of the audit log.

The log is a record that a tenant's role may only add to. What somebody did stays in it, with their id; the name that it
kept goes when they are removed. So it is done over the operations login, by the operations worker, soon after a removal
and once more each day: safe to repeat.
"""

from core.tenancy import TenantRef
from tenants.schemas.making import owner_cursor

_FORGET = """
    UPDATE audit_entry e
    SET actor_name = CASE WHEN e.actor_id = p.id THEN '' ELSE e.actor_name END,
        target_name = CASE WHEN e.target_id = p.id THEN '' ELSE e.target_name END
    FROM people_person p
    WHERE p.removed_at IS NOT NULL
        AND (e.actor_id = p.id AND e.actor_name <> '' OR e.target_id = p.id AND e.target_name <> '')
"""


def forget_names(ref: TenantRef) -> int:
    """Empty the names of removed people in a tenant's audit log; return how many entries had one."""
    with owner_cursor(ref) as cursor:
        total = 0
        while True:  # an entry of one removed person about another takes two rounds
            cursor.execute(_FORGET)
            if not cursor.rowcount:
                return total
            total += cursor.rowcount
