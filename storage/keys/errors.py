from django.utils.translation import gettext_lazy as _

from core.errors import PlexicaError


class BucketKeyMissing(PlexicaError):
    """The tenant has a bucket and no key to it: it was made by an older version, or restored without its key."""

    code = "bucket_key_missing"
    status = 503
    title = _("Files are not available")
    detail = _("The key to the files of %(slug)s is missing. An operator can make one: manage.py rotate_bucket_key.")
