from csp.constants import NONE, SELF
from csp.decorators import csp_replace, csp_update
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from core.errors import NotFound
from core.inbox.mails import Mail, find_mail, list_mails

# A mail is foreign text with styles inline. It is drawn in a frame that runs nothing, and its links open elsewhere.
SANDBOX = ["allow-popups", "allow-popups-to-escape-sandbox"]
MAIL_POLICY = {
    "default-src": [NONE],
    "style-src": ["'unsafe-inline'"],
    "img-src": ["data:"],
    "base-uri": [NONE],
    "form-action": [NONE],
    "frame-ancestors": [SELF],
    "sandbox": SANDBOX,
}


@require_safe
@never_cache
def inbox(request: HttpRequest) -> HttpResponse:
    """All mails of the demo, newest first."""
    return render(request, "inbox/mail_list.html", {"mails": list_mails()})


@csp_update({"frame-src": [SELF]})  # type: ignore[arg-type]  # its types know no arguments of views
@require_safe
@never_cache
def inbox_mail(request: HttpRequest, key: str) -> HttpResponse:
    """One mail: as mail programs show it, and as text."""
    return render(request, "inbox/mail_detail.html", {"mail": _mail(key), "sandbox": " ".join(SANDBOX)})


@csp_replace(MAIL_POLICY)  # type: ignore[arg-type]
@xframe_options_sameorigin
@require_safe
@never_cache
def inbox_content(request: HttpRequest, key: str) -> HttpResponse:
    """The mail's HTML, for the frame."""
    return HttpResponse(f'<base target="_blank">{_mail(key).html}')


def _mail(key: str) -> Mail:
    mail = find_mail(key)
    if mail is None:
        raise NotFound
    return mail
