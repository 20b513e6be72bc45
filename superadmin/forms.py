import re
from typing import Any

from django import forms
from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from accounts.operators.models import Operator
from core.time_zones import time_zone_choices
from core.web.asking import ChangeForm
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


class ReasonForm(ChangeForm):
    """Why something is done."""

    reason = forms.CharField(
        label=_("Why? Kept in the audit log."),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2, "autofocus": True}),
        error_messages={"required": _("Say why, in at most 500 characters.")},
    )


class OptionalReasonForm(ChangeForm):
    """Why something is done, if there is something to say."""

    reason = forms.CharField(
        label=_("Why? Kept in the audit log."),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "autofocus": True}),
    )


class ConfirmedForm(ReasonForm):
    """The worst: the slug typed out."""

    confirm = forms.CharField(label=_("Slug, to confirm"), max_length=48)

    def __init__(self, *args: Any, word: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.word = word

    def clean_confirm(self) -> str:
        """Refuse anything but the slug."""
        typed = str(self.cleaned_data["confirm"]).strip()
        if typed != self.word:
            raise forms.ValidationError(_("Type %(slug)s to confirm.") % {"slug": self.word})
        return typed

    @property
    def said(self) -> dict[str, Any]:
        """Return what services take, by their names."""
        values = super().said
        return {"typed_slug": values.pop("confirm"), **values}


class DeletionForm(ConfirmedForm):
    """A tenant's deletion, after the grace period or at once."""

    export = forms.BooleanField(label=_("Export everything first"), required=False, initial=True)
    now = forms.BooleanField(label=_("Delete at once"), required=False)
    field_order = ("version", "export", "now", "reason", "confirm")

    def __init__(self, *args: Any, grace: str, export_hint: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if settings.DELETION_EXPORT_STEP:
            self.fields["export"].help_text = export_hint
        else:
            del self.fields["export"]
        self.fields["now"].help_text = _("Without the %(grace)s in which it can be called off.") % {"grace": grace}


class ExportForm(ReasonForm):
    """An export of a tenant."""

    masked = forms.BooleanField(
        label=_("Mask what says anything about people"),
        required=False,
        help_text=_("Names, addresses and texts are replaced, files left out."),
    )
    field_order: tuple[str, ...] = ("version", "masked", "reason")


class CloneForm(ExportForm):
    """A copy of a tenant."""

    slug = forms.CharField(
        label=_("The copy’s slug"),
        max_length=48,
        validators=[validate_slug],
        help_text=_("Names address and realm; it can never change."),
        widget=forms.TextInput(attrs={"autofocus": True, "autocapitalize": "none", "spellcheck": "false"}),
    )
    name = forms.CharField(
        label=_("The copy’s name"),
        max_length=120,
        required=False,
        help_text=_("The tenant’s if left empty; of a masked copy, the slug."),
    )
    admin_email = forms.EmailField(
        label=_("First admin’s e-mail"),
        required=False,
        help_text=_("Only of a masked copy, in which nobody else can sign in."),
    )
    field_order = ("version", "slug", "name", "masked", "admin_email", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].widget.attrs.pop("autofocus")


class ArchiveForm(forms.Form):
    """An archive that a tenant is to be made of."""

    archive = forms.FileField(
        label=_("Archive"),
        widget=forms.FileInput(attrs={"accept": ".gz,application/gzip"}),
        error_messages={"required": _("Choose the file that an export wrote.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["archive"].help_text = _("A .plexica.tar.gz of at most %(size)s, as an export writes it.") % {
            "size": filesizeformat(settings.IMPORT_MAX_BYTES)
        }


class ImportForm(forms.Form):
    """What a tenant that is made of an archive will be called."""

    slug = forms.CharField(
        label=_("Slug"),
        max_length=48,
        validators=[validate_slug],
        help_text=_("Names address and realm; it can never change."),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    name = forms.CharField(label=_("Name"), max_length=120)
    admin_email = forms.EmailField(
        label=_("First admin’s e-mail"), help_text=_("Nobody else can sign in to a masked copy.")
    )

    def __init__(self, *args: Any, masked: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not masked:
            del self.fields["admin_email"]


class RenameForm(ChangeForm):
    """A tenant's name."""

    name = forms.CharField(label=_("Name"), max_length=120, widget=forms.TextInput(attrs={"autofocus": True}))


class BulkForm(forms.Form):
    """What is to be done with the tenants that were ticked, and why."""

    reason = ReasonForm.base_fields["reason"]

    def __init__(self, *args: Any, tenants: list[Any], change: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["change"] = forms.CharField(widget=forms.HiddenInput, initial=change)
        self.fields["tenant"] = forms.MultipleChoiceField(
            widget=forms.MultipleHiddenInput,
            choices=[(str(tenant.pk), tenant.name) for tenant in tenants],
            initial=[str(tenant.pk) for tenant in tenants],
        )


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


class OperatorRoleForm(forms.Form):
    """What an operator may do."""

    role = forms.ChoiceField(label=_("Role"), choices=Operator.Role.choices, widget=forms.RadioSelect)


class OperatorForm(OperatorRoleForm):
    """What a new operator needs."""

    name = forms.CharField(label=_("Name"), max_length=120, widget=forms.TextInput(attrs={"autofocus": True}))
    email = forms.EmailField(label=_("E-mail"), max_length=254)
    field_order = ("name", "email", "role")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("role", Operator.Role.SUPPORT)


class EventAnswerForm(forms.Form):
    """What is to be done with the failed events that were ticked, and why if there is something to say."""

    reason = OptionalReasonForm.base_fields["reason"]

    def __init__(self, *args: Any, ids: list[str], answer: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["answer"] = forms.CharField(widget=forms.HiddenInput, initial=answer)
        self.fields["event"] = forms.MultipleChoiceField(
            widget=forms.MultipleHiddenInput, choices=[(one, one) for one in ids], initial=ids
        )


class ReplayForm(forms.Form):
    """Whose past is handled again, where, and since when."""

    subscriber = forms.ChoiceField(label=_("Subscriber"))
    tenant = forms.CharField(
        label=_("Tenant"),
        max_length=48,
        help_text=_("Its slug."),
        widget=forms.TextInput(attrs={"autofocus": True, "autocapitalize": "none", "spellcheck": "false"}),
    )
    since = forms.DateTimeField(
        label=_("Since"),
        help_text=_("In your time zone."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
    )
    reason = OptionalReasonForm.base_fields["reason"]

    def __init__(self, *args: Any, names: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["subscriber"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]
        self.fields["reason"].widget.attrs.pop("autofocus")
