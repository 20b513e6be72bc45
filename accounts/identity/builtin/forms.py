from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from oauth2_provider.views.device import DeviceGrantForm

from accounts.identity.builtin.accounts import check_password
from accounts.identity.builtin.attempts import SignInLocked
from accounts.identity.builtin.devices import device_of
from accounts.identity.models import Account


class SignInForm(forms.Form):
    """E-mail address and password. One sentence for whatever is wrong with them."""

    email = forms.EmailField(label=_("E-mail"), widget=forms.EmailInput)
    password = forms.CharField(label=_("Password"), strip=False, max_length=4096, widget=forms.PasswordInput)
    account: Account

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if "email" in values and "password" in values:
            self.account = self._checked(**values)
        return values

    def _checked(self, email: str, password: str) -> Account:
        try:
            account = check_password(email=email, password=password, device=device_of(self.request, email.lower()))
        except SignInLocked as locked:
            said = _("Too many attempts failed. Try again in %(minutes)s minutes, or set another password by mail.")
            raise ValidationError(said, code="locked", params=dict(locked.facts)) from None
        if account is None:
            said = _("E-mail address and password do not match. Check both and try again.")
            raise ValidationError(said, code="no_match")
        return account


class SecondStepForm(forms.Form):
    """A code of the app, or a recovery code, for the sign-in that this very page belongs to."""

    code = forms.CharField(label=_("Code"), max_length=40, widget=forms.TextInput)
    tab = forms.CharField(max_length=40, required=False, widget=forms.HiddenInput)


class ProofForm(forms.Form):
    """A code of somebody who is signed in."""

    code = forms.CharField(
        label=_("Code"), max_length=40, help_text=_("From your authenticator app, or a recovery code.")
    )


class AuthenticatorForm(forms.Form):
    """The first code of an app, with what the page was drawn from."""

    code = forms.CharField(label=_("Code"), max_length=12, help_text=_("The six digits that the app shows now."))
    set_up = forms.CharField(max_length=2000, required=False, widget=forms.HiddenInput)
    tab = forms.CharField(max_length=40, required=False, widget=forms.HiddenInput)


class OwnAuthenticatorForm(AuthenticatorForm):
    """The same, from somebody who proves that the account is theirs."""

    password = forms.CharField(label=_("Your password now"), strip=False, max_length=4096, widget=forms.PasswordInput)
    field_order = ("code", "password")


class ForgotForm(forms.Form):
    """Whose password it is."""

    email = forms.EmailField(label=_("E-mail"), widget=forms.EmailInput)


class PasswordForm(forms.Form):
    """A new password, typed twice; the rules are checked where it is set."""

    password = forms.CharField(
        label=_("New password"),
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput,
        help_text=_("At least 12 characters."),
    )
    password_again = forms.CharField(
        label=_("The same again"), strip=False, max_length=4096, widget=forms.PasswordInput
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("password") != values.get("password_again"):
            self.add_error("password_again", _("The two passwords differ."))
        return values


class ChangePasswordForm(PasswordForm):
    """The same, from somebody who knows the old one."""

    old = forms.CharField(label=_("Your password now"), strip=False, max_length=4096, widget=forms.PasswordInput)
    field_order = ("old", "password", "password_again")


class CodeForm(DeviceGrantForm):  # type: ignore[misc]
    """The code that a program shows. The library finds it; its refusals are said in our words."""

    SAYS = {
        "incorrect_user_code": _("No program waits with this code. Check it and try again."),
        "expired_user_code": _("This code has expired. Start again in the program."),
        "user_code_already_used": _("This code was used before. Start again in the program."),
    }

    user_code = forms.CharField(label=_("Code"))

    def clean_user_code(self) -> str:
        try:
            code: str = super().clean_user_code()
        except ValidationError as error:
            raise ValidationError(self.SAYS[str(error.code)], code=error.code) from None
        return code
