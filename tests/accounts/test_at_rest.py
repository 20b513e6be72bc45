"""What the issuer keeps and publishes: no secret in plain, no private key outside, no more endpoints than needed."""

import json

import pytest
from django.conf import settings
from django.db import connections
from django.urls import get_resolver

from accounts.identity.models import Realm, SigningKey
from core.tenancy import enter

NEEDED = {
    "authorize/", "token/", "revoke/", "introspect/", "userinfo/", "sign-out/", "sign-in/", "sign-in/code/", "sign-in/set-up/", "set-password/<str:token>/", "forgot-password/",
    "device-authorization/", "device/", "device/<slug:client_id>/<slug:user_code>/",
    "device/<slug:client_id>/<slug:user_code>/done/", ".well-known/openid-configuration", ".well-known/jwks.json",
    ".well-known/oauth-authorization-server",
}  # fmt: skip


def raw(schema, sql):
    with connections["ops"].cursor() as cursor:
        cursor.execute(sql.format(schema=schema))
        return [str(row[0]) for row in cursor.fetchall()]


def test_keys_and_client_secrets_are_encrypted_at_rest(committed, acme):
    with enter(acme):
        pem, secret = SigningKey.objects.first().private_pem, Realm.objects.first().client_secret

    keys = raw(acme.schema, 'SELECT private_pem FROM "{schema}".identity_signingkey')
    secrets = raw(acme.schema, 'SELECT client_secret FROM "{schema}".identity_realm')

    assert pem.startswith("-----BEGIN PRIVATE KEY-----")
    assert all(text.startswith("gAAAA") for text in keys + secrets)
    assert secret not in json.dumps(keys + secrets)


def test_the_issuer_keeps_its_clients_secret_as_a_hash(committed, acme):
    with enter(acme):
        secret = Realm.objects.first().client_secret

    kept = raw(
        acme.schema, "SELECT client_secret FROM \"{schema}\".identity_application WHERE client_id = 'plexica-web'"
    )

    assert kept[0].startswith("pbkdf2_sha256_client_secret$")
    assert secret not in kept[0]


def test_passwords_are_hashed_as_slowly_as_the_setting_says(committed, acme):
    kept = raw(acme.schema, "SELECT password FROM \"{schema}\".identity_account WHERE email LIKE '%people.example'")

    assert all(text.startswith("pbkdf2_sha256$") for text in kept)
    assert {int(text.split("$")[1]) for text in kept} == {settings.PASSWORD_ITERATIONS}


def test_tokens_of_a_signed_in_person_are_not_kept_in_the_pages_session(owner, acme):
    from importlib import import_module

    with enter(acme):
        session = import_module(settings.SESSION_ENGINE).SessionStore(owner.cookies[settings.SESSION_COOKIE_NAME].value)
        kept = set(session.keys())

    assert "oidc_access_token" not in kept
    assert "oidc_refresh_token" not in kept


@pytest.mark.parametrize("where", ["acme", "platform"])
def test_what_is_published_has_no_private_parts(where, db, visitor, acme):
    person = visitor(acme) if where == "acme" else visitor()

    keys = person.get("/op/.well-known/jwks.json").json()["keys"]

    assert keys
    for key in keys:
        assert set(key) == {"kty", "n", "e", "kid", "use", "alg", *({"key_ops"} & set(key))}
        assert (key["kty"], key["use"], key["alg"]) == ("RSA", "sig", "RS256")


def test_keys_of_realms_differ(db, visitor, acme, globex):
    published = [
        {key["kid"] for key in person.get("/op/.well-known/jwks.json").json()["keys"]}
        for person in (visitor(acme), visitor(globex), visitor())
    ]

    assert len(set.union(*published)) == sum(map(len, published))


@pytest.mark.parametrize("path", ["openid-configuration", "oauth-authorization-server"])
def test_discovery_says_only_what_is_there(path, db, visitor, acme):
    person = visitor(acme)
    document = person.get(f"/op/.well-known/{path}").json()

    assert document["issuer"] == "http://acme-corp.localhost:8000/op"
    assert document["response_types_supported"] == ["code"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert "registration_endpoint" not in document
    assert not {"password", "implicit"} & set(document.get("grant_types_supported", []))
    for name, url in document.items():
        if name.endswith(("_endpoint", "_uri")):
            assert url.startswith("http://acme-corp.localhost:8000/op/"), name
            assert person.get(url).status_code != 404, name


def test_the_issuer_has_no_more_endpoints_than_needed(settings):
    for urlconf in (settings.PLATFORM_URLCONF, settings.TENANT_URLCONF):
        op = next(entry for entry in get_resolver(urlconf).url_patterns if str(entry.pattern) == "op/")
        paths = {str(p.pattern) for entry in op.url_patterns for p in getattr(entry, "url_patterns", [entry])}

        assert paths == NEEDED


@pytest.mark.parametrize(
    "path", ["applications/", "applications/register/", "authorized_tokens/", "register/", "admin/"]
)
def test_clients_and_tokens_are_managed_by_nobody_here(path, owner):
    assert owner.get(f"/op/{path}").status_code == 404
