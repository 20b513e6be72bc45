from django.utils.translation import gettext_lazy as _

from core.errors import Conflict


class ApiClientOver(Conflict):
    """It was revoked or has expired: a new secret would not bring it back."""

    code = "api_client_over"
    title = _("This API client has ended")
    detail = _("%(name)s is revoked or has expired. Make a new one.")
