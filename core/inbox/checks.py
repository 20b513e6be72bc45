from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register(deploy=True)
def inbox_is_for_development(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Mails hold links that set passwords: nobody but developers may read everybody's."""
    if settings.SHOW_INBOX and not settings.DEVELOPMENT:
        return [Error("Everybody could read all mails at /inbox/.", hint="Take SHOW_INBOX away.", id="inbox.E001")]
    return []
