"""Tags and filters of Plexica's own templates: icons, people, times, numbers, form controls."""

import re
import zlib
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms, template
from django.core.paginator import Page
from django.forms.boundfield import BoundField, BoundWidget
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core.web.dates import SHORT_DATE
from core.web.statuses import Face, show_status

register = template.Library()

_HUES = 5
_MINUTE, _HOUR, _DAY, _WEEK = 60, 3600, 86400, 604800


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """An icon of the sprite, hidden from assistive technology: the text beside it, or a label, says it."""
    return format_html(
        '<svg class="icon{}" aria-hidden="true"><use href="{}#{}"></use></svg>',
        f" {css}" if css else "",
        static("vendor/icons.svg"),
        name,
    )


@register.filter
def initials(name: object) -> str:
    """First letters of the first and last word: *Mara van Ellsworth* gives *ME*."""
    words: list[str] = re.findall(r"[^\W_]+", str(name or ""))
    ends = [words[0], words[-1]] if len(words) > 1 else words
    return "".join(word[0] for word in ends).upper() or "?"


@register.filter
def hue(key: object) -> int:
    """An avatar's colour, 1 to 5: the same for the same id in every process."""
    return zlib.crc32(str(key).encode()) % _HUES + 1


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """How long ago, as a `<time>` whose title has the exact time; a date once a week has passed."""
    if moment is None:
        return "–"
    return _time_tag(moment, _say_ago(moment))


@register.filter
def day(moment: datetime | None) -> SafeString | str:
    """The date in the person's zone, as a `<time>`: 24 Nov 2026."""
    if moment is None:
        return "–"
    return _time_tag(moment, _in_zone(moment, SHORT_DATE))


def _time_tag(moment: datetime, text: str) -> SafeString:
    exact = _in_zone(moment, "j F Y, H:i T")
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(timespec="seconds"),
        exact,
        text,
    )


def _in_zone(moment: datetime, pattern: str | Promise) -> str:
    return formats.date_format(timezone.localtime(moment), str(pattern))


def _say_ago(moment: datetime) -> str:
    passed_s = int((timezone.now() - moment).total_seconds())
    if passed_s < _MINUTE:
        return _("just now")
    if passed_s < _HOUR:
        minutes = passed_s // _MINUTE
        return ngettext("%(count)d min ago", "%(count)d min ago", minutes) % {"count": minutes}
    if passed_s < _DAY:
        hours = passed_s // _HOUR
        return ngettext("%(count)d h ago", "%(count)d h ago", hours) % {"count": hours}
    if passed_s < _WEEK:
        days = passed_s // _DAY
        return ngettext("%(count)d day ago", "%(count)d days ago", days) % {"count": days}
    return _in_zone(moment, SHORT_DATE)


@register.filter
def number(value: float | Decimal | None) -> str:
    """A number with the locale's grouping, whatever USE_THOUSAND_SEPARATOR says."""
    if value is None:
        return "–"
    return formats.number_format(value, use_l10n=True, force_grouping=True)


@register.filter
def took(duration_s: float | None) -> str:
    """How long something took, or waits: 0.3 s, 41 s, 2 min 5 s, 3 h 10 min, 2 d 4 h."""
    if duration_s is None:
        return ""
    if duration_s < 10:
        return _("%(seconds)s s") % {"seconds": formats.number_format(round(duration_s, 1), decimal_pos=1)}
    if round(duration_s) < _MINUTE:
        return _("%(seconds)s s") % {"seconds": round(duration_s)}
    whole = round(duration_s)
    if whole < _HOUR:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": whole // _MINUTE, "seconds": whole % _MINUTE}
    if whole < _DAY:
        return _("%(hours)d h %(minutes)d min") % {"hours": whole // _HOUR, "minutes": whole % _HOUR // _MINUTE}
    return _("%(days)d d %(hours)d h") % {"days": whole // _DAY, "hours": whole % _DAY // _HOUR}


@register.filter
def highlight(text: object, query: str) -> SafeString:
    """The text with the first place that matches the query marked."""
    whole = str(text)
    at = whole.lower().find(query.strip().lower()) if query and query.strip() else -1
    if at < 0:
        return conditional_escape(whole)
    end = at + len(query.strip())
    return format_html("{}<mark>{}</mark>{}", whole[:at], whole[at:end], whole[end:])


@register.filter
def kind(field: BoundField) -> str:
    """What the field component must draw: text, password, select, textarea, checkbox, choices, hidden."""
    widget = field.field.widget
    if widget.is_hidden:
        return "hidden"
    for known, name in _KINDS:
        if isinstance(widget, known):
            return name
    return "text"


_KINDS: tuple[tuple[type[forms.Widget], str], ...] = (
    (forms.PasswordInput, "password"),
    (forms.CheckboxInput, "checkbox"),
    (forms.RadioSelect, "choices"),
    (forms.CheckboxSelectMultiple, "choices"),
    (forms.Select, "select"),
    (forms.Textarea, "textarea"),
)
_CLASSES = {
    "select": "form-select",
    "checkbox": "form-check-input",
    "choices": "form-check-input",
}


@register.simple_tag
def control(field: BoundField, css: str = "", **attributes: object) -> SafeString:
    """The field's own control in our classes; further attributes are written with _ for -, empty ones left out.

    Django adds aria-invalid and the ids of help and errors itself.
    """
    own = field.field.widget.attrs.get("class", "")
    classes = (_CLASSES.get(kind(field), "form-control"), css, own)
    attrs: dict[str, str | bool] = {"class": " ".join(filter(None, classes))}
    attrs |= {name.replace("_", "-"): str(value) for name, value in attributes.items() if value not in ("", None)}
    return mark_safe(field.as_widget(attrs=attrs))  # noqa: S308 as_widget escapes


@register.filter
def choice_control(choice: BoundWidget) -> SafeString:
    """One radio button or box of a field with choices, in our classes."""
    choice.data["attrs"]["class"] = _CLASSES["choices"]
    return choice.tag()


@register.filter
def page_range(page: Page[Any]) -> list[int | None]:
    """The pages to offer, None where some are left out."""
    numbers = page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1)
    return [number if isinstance(number, int) else None for number in numbers]


@register.filter
def face(status: object) -> Face:
    """Label, tone and form of a state, for the status component."""
    return show_status(str(status))
