"""Addresses, secrets, cookies, browser security."""

import ipaddress
import tomllib
from typing import Literal
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from csp.constants import NONE, SELF
from pydantic import Field, field_validator, model_validator

from plexica.settings.environment import BASE_DIR, Environment, check_port, load

VERSION: str = tomllib.loads((BASE_DIR / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
SAFE_PASSWORD_ITERATIONS = 600_000


class Site(Environment):
    env: Literal["development", "production"] = Field(
        "production", description="development: a page with all components, and mails as files unless email_url is set"
    )
    debug: bool = Field(False, description="Django's debug pages; never with real data")
    secret_key: str = Field(min_length=32, description="Signs sessions and links")
    encryption_keys: str = Field(description="Fernet keys for encrypted fields, comma-separated; the first one writes")
    public_url: str = Field(
        "http://localhost:8000", description="The platform's address; tenants live at <slug>.<its host>"
    )
    static_root: str = Field("", description="Where collectstatic gathers files; empty: served from the source tree")
    trust_proxy: bool = Field(
        False, description="A reverse proxy in front sets X-Forwarded-Proto; /metrics then needs metrics_token"
    )
    metrics_token: str = Field("", description="Bearer token that may read /metrics; empty: loopback only")
    password_iterations: int = Field(
        1_000_000,
        ge=1,
        description="PBKDF2 rounds of a password's hash: at least 600000, fewer in development alone;"
        " a hash with another number is made anew at the next sign-in",
    )
    release: str = Field("dev", description="Shown in the foot of the front page")

    @field_validator("encryption_keys")
    @classmethod
    def _fernet_keys(cls, value: str) -> str:
        for key in value.split(","):
            Fernet(key.strip())
        return value

    @field_validator("public_url")
    @classmethod
    def _origin(cls, value: str) -> str:
        url = urlsplit(value)
        if url.scheme not in ("http", "https") or not url.hostname or url.path.strip("/") or url.query or url.username:
            raise ValueError("must be scheme://host[:port]")
        check_port(url)
        return value.rstrip("/")

    @model_validator(mode="after")
    def _plain_http_only_at_home(self) -> "Site":
        url = urlsplit(self.public_url)
        host = url.hostname or ""
        if url.scheme == "http" and not (host == "localhost" or host.endswith(".localhost")):
            raise ValueError("PLEXICA_PUBLIC_URL must be https unless its host is localhost")
        if _is_ip(host):
            raise ValueError("PLEXICA_PUBLIC_URL needs a name: tenants live in names below it")
        return self

    @model_validator(mode="after")
    def _slow_hashes(self) -> "Site":
        if self.env == "production" and self.password_iterations < SAFE_PASSWORD_ITERATIONS:
            raise ValueError(f"PLEXICA_PASSWORD_ITERATIONS must be at least {SAFE_PASSWORD_ITERATIONS}")
        return self


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


_site = load(Site)
_url = urlsplit(_site.public_url)

DEBUG = _site.debug
DEVELOPMENT = _site.env == "development"
SECRET_KEY = _site.secret_key
ENCRYPTION_KEYS = [key.strip() for key in _site.encryption_keys.split(",")]
PASSWORD_ITERATIONS = _site.password_iterations
RELEASE = _site.release

PUBLIC_URL = _site.public_url
PUBLIC_HOST = _url.hostname or ""
PUBLIC_NETLOC = _url.netloc
PUBLIC_SCHEME = _url.scheme
ALLOWED_HOSTS = ["*"]  # the platform's host and the directory of tenants decide: tenants.middleware
METRICS_TOKEN = _site.metrics_token

# Cookies are host-only. With https the browser guarantees it (__Host-); over http the port keeps instances apart.
_https = PUBLIC_SCHEME == "https"
_cookie = "__Host-px_{}" if _https else f"px_{{}}_{_url.port or 80}"
SESSION_COOKIE_NAME = _cookie.format("session")
# the issuer's cookie has a path of its own, which __Host- forbids
ISSUER_COOKIE_NAME = "__Secure-px_issuer" if _https else f"px_issuer_{_url.port or 80}"
DEVICE_COOKIE_NAME = "__Secure-px_device" if _https else f"px_device_{_url.port or 80}"
LANGUAGE_COOKIE_NAME = _cookie.format("language")
THEME_COOKIE_NAME = "px_theme"
SIDEBAR_COOKIE_NAME = "px_sidebar"
SESSION_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_CACHE_ALIAS = "default"
CSRF_USE_SESSIONS = True
CSRF_FAILURE_VIEW = "core.web.errors.csrf_failure"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

SECURE_SSL_REDIRECT = _https
SECURE_REDIRECT_EXEMPT = [r"^health"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _https
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _site.trust_proxy else None
TRUST_PROXY = _site.trust_proxy
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = _site.static_root or str(BASE_DIR / "var" / "static")
STATICFILES_BACKEND = (
    "whitenoise.storage.CompressedManifestStaticFilesStorage"
    if _site.static_root
    else "django.contrib.staticfiles.storage.StaticFilesStorage"
)
WHITENOISE_USE_FINDERS = not _site.static_root
WHITENOISE_AUTOREFRESH = False
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ("png", "jpg", "gif", "webp", "ico", "woff2", "gz", "br", "map")
