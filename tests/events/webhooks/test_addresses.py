"""Where webhooks may not go."""

import ipaddress

import pytest

from events.webhooks import addresses

PRIVATE = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3",  # noqa: S104
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "192.0.2.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.88.99.1",
    "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "2001::1", "3fff::1", "100::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
    "2002:7f00:1::", "2002:a00:1::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.215.14", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_on_the_public_internet_is_refused(address):
    assert not addresses.is_allowed(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_is_allowed(address):
    assert addresses.is_allowed(ipaddress.ip_address(address))


def test_a_network_that_the_settings_name_is_allowed_also_within_other_addresses(settings):
    settings.WEBHOOK_ALLOWED_NETWORKS = [ipaddress.ip_network("10.1.0.0/16")]

    assert addresses.is_allowed(ipaddress.ip_address("10.1.2.3"))
    assert addresses.is_allowed(ipaddress.ip_address("::ffff:10.1.2.3"))
    assert not addresses.is_allowed(ipaddress.ip_address("10.2.0.1"))


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://example.com/", "https"),
        ("ftp://example.com/", "url"),
        ("https:///path", "url"),
        ("example.com/hook", "url"),
        ("https://example.com:99999/", "url"),
        ("https://example.com:0/", "url"),
        ("https://example.com/#part", "url"),
        ("https://exa mple.com/", "url"),
        ("https://example.com/\r\nX-Evil: 1", "url"),
        ("https://bücher.example/", "url"),
        ("https://" + "a" * 1000, "url"),
        ("https://user:word@example.com/", "credentials"),
        ("https://example.com\\@127.0.0.1/", "credentials"),
        ("https://127.0.0.1/", "address"),
        ("https://[::1]/", "address"),
        ("https://[::ffff:10.0.0.1]:8443/", "address"),
        ("https://[fe80::1%25eth0]/", "address"),
        ("https://169.254.169.254/latest/meta-data", "address"),
    ],
)
def test_an_address_that_no_webhook_may_have_says_why(url, fault):
    with pytest.raises(ValueError, match=f"^{fault}$"):
        addresses.parse(url)


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f.1", "127.1", "0177.0.0.1"])
def test_a_name_or_number_that_leads_here_is_refused_when_it_is_resolved(host):
    with pytest.raises(addresses.AddressRefused):
        addresses.resolve(host, 443)


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch):
    answer = [(2, 1, 6, "", ("1.1.1.1", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *args, **kwargs: answer)

    with pytest.raises(addresses.AddressRefused, match=r"10\.0\.0\.1"):
        addresses.resolve("mixed.example", 443)
