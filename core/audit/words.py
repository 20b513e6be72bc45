"""How the audit log's actions are called on pages; a test finds each recorded action here."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

LABELS: dict[str, Promise] = {
    "tenant.requested": _("Tenant requested"),
    "tenant.activated": _("Tenant ready"),
    "tenant.provisioning_failed": _("Setting up failed"),
    "tenant.first_admin_link_shown": _("First admin’s link shown"),
    "tenant.suspended": _("Tenant suspended"),
    "tenant.renamed": _("Tenant renamed"),
    "tenant.reactivated": _("Tenant reactivated"),
    "tenant.deletion_requested": _("Deletion requested"),
    "tenant.deletion_hastened": _("Deletion hastened"),
    "tenant.deletion_undone": _("Deletion called off"),
    "tenant.deleted": _("Tenant deleted"),
    "tenant.export_requested": _("Export requested"),
    "tenant.exported": _("Tenant exported"),
    "tenant.export_failed": _("Export failed"),
    "tenant.export_taken": _("Copy of an export taken"),
    "tenant.archive_removed": _("Old archive removed"),
    "tenant.import_requested": _("Import requested"),
    "tenant.clone_requested": _("Copy requested"),
    "operation.stuck": _("Operation stuck"),
    "operation.retried": _("Operation retried"),
    "operation.given_up": _("Operation given up"),
    "operation.leftovers_adopted": _("Leftovers adopted"),
    "operation.leftovers_cleaned": _("Leftovers removed"),
    "member.added": _("Joined the team"),
    "member.updated": _("Profile changed"),
    "operator.added": _("Operator added"),
    "operator.updated": _("Profile changed"),
    "session.started": _("Signed in"),
    "storage.key_rotated": _("Storage key replaced"),
}


def label_of(action: str) -> str:
    """Return what pages call an action."""
    return str(LABELS.get(action, action))
