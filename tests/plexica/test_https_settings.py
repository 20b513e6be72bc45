"""What https changes in the settings. Read by a process of its own."""

import json
import os
import subprocess
import sys

NAMES = [
    "SESSION_COOKIE_NAME", "ISSUER_COOKIE_NAME", "LANGUAGE_COOKIE_NAME", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE",
    "LANGUAGE_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "SECURE_HSTS_SECONDS", "SECURE_SSL_REDIRECT", "DEBUG",
    "SECURE_PROXY_SSL_HEADER", "SHOW_COMPONENTS",
]  # fmt: skip


def read(**changes: str) -> subprocess.CompletedProcess[str]:
    code = f"import json, plexica.settings as s;print(json.dumps({{name: getattr(s, name) for name in {NAMES!r}}}))"
    production = {"PLEXICA_ENV": "production", "PLEXICA_TRUST_PROXY": "true", "PLEXICA_PASSWORD_ITERATIONS": ""}
    environment = {**os.environ, **production, **changes}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_https_hardens_every_cookie():
    values = json.loads(read(PLEXICA_PUBLIC_URL="https://plexica.example").stdout)

    assert values["SESSION_COOKIE_NAME"] == "__Host-px_session"
    assert values["LANGUAGE_COOKIE_NAME"] == "__Host-px_language"
    assert values["ISSUER_COOKIE_NAME"] == "__Secure-px_issuer"
    assert all(values[name] for name in NAMES if name.endswith(("_SECURE", "_HTTPONLY")))
    assert values["SECURE_HSTS_SECONDS"] >= 31_536_000
    assert values["SECURE_SSL_REDIRECT"] is True
    assert values["SECURE_PROXY_SSL_HEADER"] == ["HTTP_X_FORWARDED_PROTO", "https"]
    assert values["DEBUG"] is False
    assert values["SHOW_COMPONENTS"] is False


def test_plain_http_at_home_names_the_port_in_the_cookies():
    one = json.loads(read(PLEXICA_PUBLIC_URL="http://localhost:8001").stdout)
    two = json.loads(read(PLEXICA_PUBLIC_URL="http://localhost:8002").stdout)

    assert one["SESSION_COOKIE_NAME"] == "px_session_8001"
    assert two["ISSUER_COOKIE_NAME"] == "px_issuer_8002"
    assert one["SECURE_HSTS_SECONDS"] == 0
