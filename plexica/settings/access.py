"""Sign-in: the relying party (mozilla-django-oidc) and the built-in issuer (django-oauth-toolkit)."""

from datetime import timedelta

from pydantic import Field, model_validator

from plexica.settings.environment import Environment, load
from plexica.settings.site import PUBLIC_SCHEME


class Access(Environment):
    session_hours: float = Field(12, gt=0, le=24 * 30, description="After so long everybody signs in again")
    session_idle_hours: float = Field(
        4, gt=0, description="After so long without a request a session ends; at most session_hours"
    )
    session_grace_minutes: float = Field(
        10,
        ge=0,
        le=60,
        description="While the issuer does not answer, sessions go on for so long after their access token's 5 minutes",
    )

    @model_validator(mode="after")
    def _idle_within_the_whole(self) -> "Access":
        if self.session_idle_hours > self.session_hours:
            raise ValueError("PLEXICA_SESSION_IDLE_HOURS must be at most PLEXICA_SESSION_HOURS")
        return self


_access = load(Access)
SESSION_LIFETIME = timedelta(hours=_access.session_hours)
SESSION_IDLE = timedelta(hours=_access.session_idle_hours)
SESSION_GRACE = timedelta(minutes=_access.session_grace_minutes)
SESSION_COOKIE_AGE = int(SESSION_LIFETIME.total_seconds())

AUTH_USER_MODEL = "identity.Account"  # an account at the built-in issuer; people and operators are mirrored from realms
AUTHENTICATION_BACKENDS = [
    "accounts.identity.builtin.accounts.AccountBackend",
    "accounts.identity.relying_party.RealmBackend",
]
PASSWORD_HASHERS = [
    "accounts.identity.builtin.accounts.PasswordHasher",  # PBKDF2: Keycloak can take these over
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "accounts.identity.builtin.accounts.ClientSecretHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "/op/sign-in/"  # the issuer's; portals send people to oidc_authentication_init
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
PASSWORD_LINK_DAYS = 7

# What is not named here is resolved for each realm: accounts.identity.relying_party.
OIDC_RP_SCOPES = "openid email profile"
OIDC_RP_SIGN_ALGO = "RS256"
OIDC_USE_PKCE = True
OIDC_PKCE_CODE_CHALLENGE_METHOD = "S256"
OIDC_USE_NONCE = True
OIDC_TIMEOUT = 10
OIDC_STORE_ID_TOKEN = False  # tokens stay in accounts.sessions, encrypted
OIDC_STORE_ACCESS_TOKEN = False
OIDC_CALLBACK_CLASS = "accounts.identity.relying_party.CallbackView"
OIDC_AUTHENTICATE_CLASS = "accounts.identity.relying_party.AuthenticateView"
API_AUDIENCE = "plexica-api"

OAUTH2_PROVIDER_APPLICATION_MODEL = "identity.Application"
OAUTH2_PROVIDER = {
    "OIDC_ENABLED": True,
    "OIDC_RSA_PRIVATE_KEY": "each realm has keys of its own: accounts.identity.builtin.keys",
    "OAUTH2_VALIDATOR_CLASS": "accounts.identity.builtin.validator.RealmValidator",
    "ACCESS_TOKEN_GENERATOR": "accounts.identity.builtin.tokens.jwt_access_token",
    "REFRESH_TOKEN_GENERATOR": "accounts.identity.builtin.tokens.opaque_refresh_token",
    "SCOPES": {"openid": "OpenID", "email": "E-mail", "profile": "Profile"},
    "DEFAULT_SCOPES": ["openid"],
    "CLIENT_SECRET_HASHER": "pbkdf2_sha256_client_secret",
    "PKCE_REQUIRED": True,
    "REQUEST_APPROVAL_PROMPT": "auto",
    "ACCESS_TOKEN_EXPIRE_SECONDS": 300,
    "ID_TOKEN_EXPIRE_SECONDS": 300,
    "REFRESH_TOKEN_EXPIRE_SECONDS": SESSION_COOKIE_AGE,
    "ROTATE_REFRESH_TOKEN": True,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
    "OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT": False,
    "OIDC_RP_INITIATED_LOGOUT_DELETE_TOKENS": False,  # they are those of the person's other browsers, too
    "OAUTH_DEVICE_VERIFICATION_URI": "/op/device/",
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https"] if PUBLIC_SCHEME == "https" else ["http"],
    "OIDC_RESPONSE_TYPES_SUPPORTED": ["code"],
    "OAUTH2_GRANT_TYPES_SUPPORTED": [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:device_code",
    ],
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
}

# What people of a tenant may do, app by app: lists of accounts.permissions.Permission.
PERMISSIONS = ["accounts.people.permissions.PERMISSIONS"]
