from typing import Any

from django import forms
from django.contrib import auth
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from oauth2_provider.views.device import DeviceGrantForm

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
            account = auth.authenticate(self.request, email=values["email"], password=values["password"])
            if not isinstance(account, Account):
                raise ValidationError(
                    _("E-mail address and password do not match. Check both and try again."), code="no_match"
                )
            self.account = account
        return values


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
