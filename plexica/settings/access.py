"""Sign-in: the relying party (mozilla-django-oidc) and the built-in issuer (django-oauth-toolkit)."""

from plexica.settings.site import PUBLIC_SCHEME

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
OIDC_STORE_ID_TOKEN = True
OIDC_STORE_ACCESS_TOKEN = False
OIDC_CALLBACK_CLASS = "accounts.identity.relying_party.CallbackView"
OIDC_AUTHENTICATE_CLASS = "accounts.identity.relying_party.AuthenticateView"
OIDC_OP_LOGOUT_URL_METHOD = "accounts.identity.relying_party.end_session_url"
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
    "REFRESH_TOKEN_EXPIRE_SECONDS": 12 * 3600,
    "ROTATE_REFRESH_TOKEN": True,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
    "OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT": False,
    "OAUTH_DEVICE_VERIFICATION_URI": "/op/device/",
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https"] if PUBLIC_SCHEME == "https" else ["http"],
    "OIDC_RESPONSE_TYPES_SUPPORTED": ["code"],
    "OAUTH2_GRANT_TYPES_SUPPORTED": [
        "authorization_code",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:device_code",
    ],
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
}
