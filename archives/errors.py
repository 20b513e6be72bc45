from django.utils.translation import gettext_lazy as _

from core.errors import NotFound, Rejected


class ArchiveRefused(Rejected):
    """An archive is damaged, was tampered with, or is none of ours: nothing of it is taken over."""

    code = "archive_refused"
    field = "archive"
    status = 422
    title = _("This archive cannot be used")
    detail = _("The archive is refused: %(reason)s.")


class ArchiveVersionUnknown(Rejected):
    """The archive's tables are those of another version, which this one cannot bring up to date."""

    code = "archive_version_unknown"
    field = "archive"
    status = 422
    title = _("The archive is of another version")
    detail = _(
        "The archive was made by Plexica %(theirs)s with migrations %(their_hash)s; this is Plexica %(ours)s with"
        " %(our_hash)s, and never was at that state. Import it with that version, then bring it up to date."
    )


class ArchiveTooLarge(Rejected):
    """More came than pages and API take."""

    code = "archive_too_large"
    field = "archive"
    status = 413
    title = _("This archive is too large to be sent")
    detail = _("At most %(limit_mb)s MB are taken here. Import it with: manage.py import_tenant FILE.")


class RowTooLong(Rejected):
    """A row is longer than an import would take."""

    code = "row_too_long"
    status = 422
    title = _("A row is too long for an archive")
    detail = _("A row of %(table)s has more than %(limit)s bytes.")


class FileChanged(Rejected):
    """A file had another length when it was read than when it was opened."""

    code = "file_changed"
    status = 409
    title = _("A file was changed meanwhile")
    detail = _("%(name)s was changed while it was read. Try again.")


class ArchiveNotFound(NotFound):
    """There is no such archive, or it was removed when its time was over."""

    code = "archive_not_found"
    title = _("There is no such archive")
    detail = _("It was removed when its time was over, or never existed.")
