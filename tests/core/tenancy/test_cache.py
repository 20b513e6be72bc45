from django.core.cache import cache

from core.tenancy import enter, enter_platform
from core.tenancy.cache import make_key, reverse_key
from core.tenancy.names import tenant_code


def test_a_key_carries_its_tenant_and_can_be_read_back(acme):
    with enter(acme):
        key = make_key("a:b", "", 1)

    assert tenant_code(acme.id) in key
    assert reverse_key(key) == "a:b"


def test_a_value_of_one_tenant_is_found_neither_by_another_nor_by_the_platform(acme, globex):
    with enter(acme):
        cache.set("colour", "red")

    with enter(globex):
        assert cache.get("colour") is None
    with enter_platform():
        assert cache.get("colour") is None
    with enter(acme):
        assert cache.get("colour") == "red"


def test_no_slug_stands_in_a_key(acme):
    with enter(acme):
        assert acme.slug not in make_key("x", "", 1)
