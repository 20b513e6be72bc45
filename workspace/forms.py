from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.identity.builtin.forms import PasswordForm
from accounts.people.models import Role
from accounts.permissions import registered
from core.time_zones import time_zone_choices
from core.web.asking import ChangeForm
from events.webhooks.catalogue import EVERYTHING, offered


class ProfileForm(forms.Form):
    """What people decide about themselves. The theme is kept in this browser."""

    name = forms.CharField(label=_("Name"), max_length=120)
    language = forms.ChoiceField(label=_("Language"), required=False)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False)
    theme = forms.ChoiceField(
        label=_("Appearance"), choices=[("light", _("Light")), ("dark", _("Dark"))], widget=forms.RadioSelect
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"].choices = [("", _("As the workspace")), *settings.LANGUAGES]  # type: ignore[attr-defined]
        self.fields["time_zone"].choices = [("", _("As the workspace")), *time_zone_choices()]  # type: ignore[attr-defined]


class InviteForm(forms.Form):
    """Whom to invite, as what. Addresses stand in lines, or between commas."""

    emails = forms.CharField(
        label=_("E-mail addresses"),
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3, "autofocus": True}),
        help_text=_("One in each line, or between commas."),
    )
    roles = forms.MultipleChoiceField(
        label=_("Roles"),
        help_text=_("You can give what you have yourself."),
        initial=["user"],
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, roles: Sequence[Role], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["roles"].choices = [(role.name, role.shown_label) for role in roles]  # type: ignore[attr-defined]

    @property
    def invited(self) -> dict[str, Any]:
        """Return what the service takes."""
        text = self.cleaned_data["emails"].replace(",", "\n").replace(";", "\n")
        emails = list(dict.fromkeys(line.strip().lower() for line in text.splitlines() if line.strip()))
        return {"emails": emails, "roles": self.cleaned_data["roles"]}


class AcceptForm(PasswordForm):
    """Who comes in: a name and a password."""

    name = forms.CharField(label=_("Your name"), max_length=120)
    field_order = ("name", "password", "password_again")

    @property
    def said(self) -> dict[str, str]:
        """Return what the service takes."""
        return {"name": self.cleaned_data["name"], "password": self.cleaned_data["password"]}


class SecurityForm(forms.Form):
    """What a workspace asks of everybody who signs in."""

    two_factor_required = forms.BooleanField(
        label=_("Everybody needs a second factor"),
        required=False,
        help_text=_(
            "Who has none sets up an authenticator app when they sign in the next time, and cannot switch it off."
        ),
    )


class RolesForm(forms.Form):
    """Which roles a person has."""

    roles = forms.MultipleChoiceField(label=_("Roles"), required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, roles: Iterable[Role], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["roles"].choices = [(str(role.pk), role.shown_label) for role in roles]  # type: ignore[attr-defined]


class ConfirmForm(forms.Form):
    """A question that needs no more than a yes, or for the worst a word typed out."""

    def __init__(self, *args: Any, word: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.word = word
        if word:
            self.fields["confirm"] = forms.CharField(error_messages={"required": _("Type it to go on.")})

    def clean_confirm(self) -> str:
        """Take the very word alone."""
        typed = str(self.cleaned_data["confirm"]).strip()
        if typed != self.word:
            raise forms.ValidationError(_("This is not %(word)s.") % {"word": self.word})
        return typed


class RoleForm(ChangeForm):
    """What a role is called, and what whoever has it may do."""

    label = forms.CharField(label=_("Name"), max_length=80)
    permissions = forms.MultipleChoiceField(
        label=_("What it allows"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["permissions"].choices = [(key, one.label) for key, one in registered().items()]  # type: ignore[attr-defined]


class WebhookForm(ChangeForm):
    """Where a webhook leads, and what is sent there."""

    url = forms.CharField(
        label=_("Address"),
        max_length=1000,
        help_text=_("Begins with https:// and is on the public Internet. Every event is posted there."),
    )
    description = forms.CharField(
        label=_("Description"), max_length=200, required=False, help_text=_("What listens there.")
    )
    events = forms.MultipleChoiceField(label=_("Events"), widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = offered()
        names = [EVERYTHING, *(one.pattern for one in groups), *(event.name for one in groups for event in one.events)]
        self.fields["events"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]
        self.fields["events"].error_messages["required"] = _("Choose at least one.")
