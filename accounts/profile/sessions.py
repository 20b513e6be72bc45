from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.access import PrincipalRequest, principal_required
from accounts.sessions.devices import describe_device
from accounts.sessions.models import BrowserSession
from accounts.sessions.selectors import list_sessions
from accounts.sessions.services import end_session, end_sessions_of
from accounts.views import leave
from core.errors import NotFound
from core.web.asking import shell


@dataclass(frozen=True, slots=True)
class ShownSession:
    """A session as the page tells of it."""

    id: UUID
    device: str
    icon: str
    how: str
    address: str
    started_at: datetime
    last_seen_at: datetime
    is_current: bool


def say_how(methods: str) -> str:
    """Return in words how somebody proved who they are, as far as the issuer tells."""
    words = set(methods.split())
    if "otp" in words or "mfa" in words:
        return _("Password and code")
    return _("Password") if "pwd" in words else _("Single sign-on")


def _shown(session: BrowserSession, current: UUID | None) -> ShownSession:
    device = describe_device(session.user_agent)
    return ShownSession(
        id=session.pk,
        device=device.words,
        icon="device-mobile" if device.is_handheld else "device-desktop",
        how=say_how(session.methods),
        address=session.address or "",
        started_at=session.started_at,
        last_seen_at=session.last_seen_at,
        is_current=session.pk == current,
    )


@require_safe
@principal_required
def profile_sessions(request: PrincipalRequest) -> HttpResponse:
    """Where somebody is signed in, with this browser first."""
    current = request.user.own_session_id
    shown = [_shown(session, current) for session in list_sessions(request.user)]
    context = {
        "shell": shell(),
        "sessions": sorted(shown, key=lambda session: not session.is_current),
        "idle_hours": round(settings.SESSION_IDLE.total_seconds() / 3600, 1),
        "whole_hours": round(settings.SESSION_LIFETIME.total_seconds() / 3600, 1),
    }
    return render(request, "profile/profile_sessions.html", context)


@require_POST
@principal_required
def profile_session_end(request: PrincipalRequest, session_id: UUID) -> HttpResponse:
    """End a session with another browser, or sign out here."""
    if session_id == request.user.own_session_id:
        return leave(request)
    if not end_session(principal=request.user, session_id=session_id, how="ended"):
        raise NotFound
    messages.success(request, _("The session is ended. That browser has to sign in again."))
    return HttpResponseRedirect(reverse("profile_sessions"))


@require_POST
@principal_required
def profile_sessions_end_others(request: PrincipalRequest) -> HttpResponse:
    """End every session but this one."""
    current = request.user.own_session_id
    ended = end_sessions_of(principal=request.user, except_key=current)
    said = ngettext("%(count)d session is ended.", "%(count)d sessions are ended.", ended) % {"count": ended}
    messages.success(request, said)
    return HttpResponseRedirect(reverse("profile_sessions"))


@require_POST
@principal_required
def profile_sessions_end_all(request: PrincipalRequest) -> HttpResponse:
    """Sign out with every browser, this one included."""
    return leave(request, everywhere=True)
