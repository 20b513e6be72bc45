import re
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from core.time_zones import time_zone_choices
from tenants.slugs import validate_slug


class TenantForm(forms.Form):
    """What a new tenant needs."""

    name = forms.CharField(label=_("Name"), max_length=120)
    slug = forms.CharField(
        label=_("Slug"),
        max_length=48,
        validators=[validate_slug],
        help_text=_("3 to 48 of a–z, 0–9 and -, starting with a letter. Names address and realm; it can never change."),
    )
    admin_name = forms.CharField(label=_("First admin’s name"), max_length=120)
    admin_email = forms.EmailField(
        label=_("First admin’s e-mail"), help_text=_("Gets a link to set a password, good for seven days.")
    )
    language = forms.ChoiceField(label=_("Language"), required=False)
    time_zone = forms.ChoiceField(label=_("Time zone"), initial="UTC")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"].choices = [("", _("Each person’s browser decides")), *settings.LANGUAGES]  # type: ignore[attr-defined]
        self.fields["time_zone"].choices = time_zone_choices()  # type: ignore[attr-defined]


class OperatorProfileForm(forms.Form):
    """What operators decide about themselves."""

    name = forms.CharField(label=_("Name"), max_length=120)
    language = forms.ChoiceField(label=_("Language"), required=False)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"].choices = [("", _("The browser decides")), *settings.LANGUAGES]  # type: ignore[attr-defined]
        self.fields["time_zone"].choices = [("", _("As the platform")), *time_zone_choices()]  # type: ignore[attr-defined]


class WorkspaceForm(forms.Form):
    """The front page's question: which workspace?"""

    workspace = forms.CharField(label=_("Your workspace’s name"), max_length=253)

    def clean_workspace(self) -> str:
        """Take a whole address too, as people copy it."""
        typed = str(self.cleaned_data["workspace"]).strip().lower()
        return re.sub(r"^https?://", "", typed).partition("/")[0].partition(":")[0]
