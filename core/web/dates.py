"""How dates are written. The orders and the names are translated like every other text."""

from typing import Final

from django.utils.translation import gettext_noop, pgettext_lazy

# Translators: letters of Django's date filter. M is the short month with a capital, b without.
SHORT_DATE: Final = pgettext_lazy("date", "j M Y")
SHORT_DAY: Final = pgettext_lazy("date", "j M")
SHORT_WEEKDAY: Final = pgettext_lazy("date", "D j M")

# Django's own catalogues have these names, the Italian one with capitals that no Italian writes; ours goes first.
DJANGO_NAMES: Final = (
    gettext_noop("January"), gettext_noop("February"), gettext_noop("March"), gettext_noop("April"),
    gettext_noop("May"), gettext_noop("June"), gettext_noop("July"), gettext_noop("August"),
    gettext_noop("September"), gettext_noop("October"), gettext_noop("November"), gettext_noop("December"),
    gettext_noop("Monday"), gettext_noop("Tuesday"), gettext_noop("Wednesday"), gettext_noop("Thursday"),
    gettext_noop("Friday"), gettext_noop("Saturday"), gettext_noop("Sunday"),
    gettext_noop("Mon"), gettext_noop("Tue"), gettext_noop("Wed"), gettext_noop("Thu"),
    gettext_noop("Fri"), gettext_noop("Sat"), gettext_noop("Sun"),
)  # fmt: skip
