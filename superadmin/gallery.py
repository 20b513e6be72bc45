"""What the page with every component shows: invented people, places and figures."""

import math
from datetime import date, timedelta
from types import SimpleNamespace as Sample
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.web.charts import draw_days, draw_spark
from core.web.statuses import CODES


class GalleryForm(forms.Form):
    """One field of each sort."""

    usual = forms.CharField(
        label=gettext_lazy("Usual"),
        help_text=gettext_lazy("Help stays visible while typing"),
    )
    slug = forms.SlugField(label=gettext_lazy("Wrong"))
    storage = forms.IntegerField(label=gettext_lazy("With unit"), required=False, initial=100)
    password = forms.CharField(label=gettext_lazy("Password"), widget=forms.PasswordInput)
    zone = forms.ChoiceField(label=gettext_lazy("Choice"), choices=[("Europe/Rome", "Europe/Rome")])
    locked = forms.CharField(
        label=gettext_lazy("Not available"),
        disabled=True,
        required=False,
        initial="acme-corp",
    )
    note = forms.CharField(
        label=gettext_lazy("Longer text"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    export = forms.BooleanField(
        label=gettext_lazy("Export first"),
        required=False,
        initial=True,
        help_text=gettext_lazy("About 9 GB"),
    )
    theme = forms.ChoiceField(
        label=gettext_lazy("Cards to choose from"),
        choices=[("light", gettext_lazy("Light")), ("dark", gettext_lazy("Dark"))],
        widget=forms.RadioSelect,
        initial="light",
    )


def build_gallery() -> dict[str, Any]:
    """The context of superadmin/components.html."""
    sent = GalleryForm(
        {
            "usual": "Globex Inc",
            "slug": "9 lives",
            "password": "-",
            "zone": "Europe/Rome",
            "theme": "dark",
        }
    )
    return {
        "form": GalleryForm(),
        "wrong_form": sent,
        "statuses": CODES,
        "brands": ("verdigris", "yellow", "black", "pink", "lime", "red"),
        "figures": _sample_figures(),
        "chart": _sample_chart(),
        "steps": _sample_steps(),
        "losses": [
            Sample(label=_("Members"), value="148"),
            Sample(label=_("Files"), value="12,480"),
        ],
        "palette_groups": _sample_results(),
        "page_obj": Paginator(range(1284), 12).page(2),
    }


def _sample_figures() -> list[Sample]:
    rising = draw_spark([3, 5, 4, 8, 7, 11, 13, 12, 16, 17, 21])
    falling = draw_spark([21, 22, 20, 19, 23, 22, 18, 17, 19, 16, 13])
    return [
        Sample(
            label=_("Active members"), value="131", note=_("against 30 days before"), trend="12", direction="up",
            tone="ok", spark=rising, url=None,
        ),
        Sample(
            label=_("Failed sign-ins"), value="13", note=_("against 30 days before"), trend="8", direction="down",
            tone="ok", spark=falling, url=None,
        ),
    ]  # fmt: skip


def _sample_chart() -> object:
    start = date(2026, 10, 26)
    days = [start + timedelta(days=index) for index in range(30)]
    values = [
        (
            on,
            30 + on.day % 9 if on.weekday() > 4 else 120 + round(30 * math.sin(on.day)),
        )
        for on in days
    ]
    return draw_days(values, [max(value - 12, 0) for _on, value in values], unit=_("sign-ins"))


def _sample_steps() -> list[Sample]:
    def step(label: str, state: str, note: str = "", duration_s: float | None = None) -> Sample:
        return Sample(
            label=label, state=state, note=note, duration_s=duration_s, attempt=2, attempts_max=5,
            retry_in_s=4 if state == "retry" else None,
        )  # fmt: skip

    return [
        step(_("Database schema"), "done", _("46 tables"), 0.3),
        step(_("Realm"), "busy", _("Making keys"), 1.1),
        step(_("Bucket"), "retry", _("Storage did not answer within 5 s.")),
        step(_("Address"), "failed", _("The name is taken by another server")),
        step(_("Default settings"), "undone"),
        step(_("Invitation to the first admin"), "wait"),
    ]


def _sample_results() -> list[Sample]:
    def entry(label: str, icon: str, note: str) -> Sample:
        return Sample(label=label, icon=icon, note=note, url="#c-palette")

    return [
        Sample(
            label=_("Actions"),
            entries=[entry(_("Invite people"), "user-plus", _("Team"))],
        ),
        Sample(
            label=_("Pages"),
            entries=[
                entry(_("Invoices"), "files", _("Billing")),
                entry(_("Pending invitations"), "mail", _("Team")),
            ],
        ),
    ]
