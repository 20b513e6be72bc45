import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.db import connection

from core import crypto
from core.tenancy import enter

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_what_was_encrypted_can_be_read_again(settings):
    settings.ENCRYPTION_KEYS = [NEW]

    assert crypto.decrypt(crypto.encrypt("perché no? \U0001f511")) == "perché no? \U0001f511"


def test_after_a_rotation_the_new_key_writes_and_both_read(settings):
    settings.ENCRYPTION_KEYS = [OLD]
    before = crypto.encrypt("secret")
    settings.ENCRYPTION_KEYS = [NEW, OLD]

    after = crypto.encrypt("secret")

    assert crypto.decrypt(before) == crypto.decrypt(after) == "secret"
    assert Fernet(NEW).decrypt(after) == b"secret"
    with pytest.raises(InvalidToken):
        Fernet(OLD).decrypt(after)


def test_when_the_old_key_is_gone_what_it_wrote_is_unreadable(settings):
    settings.ENCRYPTION_KEYS = [OLD]
    before = crypto.encrypt("secret")
    settings.ENCRYPTION_KEYS = [NEW]

    with pytest.raises(InvalidToken):
        crypto.decrypt(before)


def test_the_signing_secret_opens_nothing(settings):
    settings.ENCRYPTION_KEYS = [NEW]
    token = crypto.encrypt("secret")

    settings.SECRET_KEY = "another" * 8

    assert crypto.decrypt(token) == "secret"


def test_the_database_holds_no_plain_text(db, acme):
    from accounts.identity.models import SigningKey

    with enter(acme):
        field = next(f for f in SigningKey._meta.fields if isinstance(f, crypto.EncryptedTextField))
        key = SigningKey.objects.first()
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {field.column} FROM {SigningKey._meta.db_table} WHERE id = %s", [key.pk])
            (stored,) = cursor.fetchone()

    assert "PRIVATE" in getattr(key, field.name)
    assert "PRIVATE" not in stored
    assert crypto.decrypt(stored) == getattr(key, field.name)


def test_no_secret_text_stands_unencrypted_in_a_column_of_its_name():
    from django.apps import apps

    plain = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.fields
        if any(word in field.name for word in ("private", "secret", "pem"))
        and not isinstance(field, crypto.EncryptedTextField)
        and model._meta.app_label != "oauth2_provider"
    }

    assert plain <= {
        "identity.Application.client_secret",  # hashed
        "identity.Application.hash_client_secret",  # whether it is
        "clients.ApiClient.needs_secret",  # whether there is one
    }
