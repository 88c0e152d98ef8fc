"""The client's address behind proxies: the header counts only where a proxy of ours wrote it."""

import pytest

from config.addresses import address_group, client_address, host_name, is_lenient, networks

PROXIES = networks(["10.0.0.0/8", "192.168.1.7", "2001:db8::/32"])
ODD = ("1.2.3.4:", "1.2.3.4:65536", "[1.2.3.4", "1.2.3.4]", "[::1]80", "[]", ":80", "[unknown]:1", "1.2.3.4:٨", "_x")


@pytest.mark.parametrize(
    ("peer", "header", "client"),
    [
        ("203.0.113.5", None, "203.0.113.5"),
        ("203.0.113.5", "198.51.100.1", "203.0.113.5"),  # nobody we trust says so
        ("10.1.2.3", "198.51.100.1", "198.51.100.1"),
        ("10.1.2.3", "1.1.1.1, 198.51.100.1", "198.51.100.1"),  # the client wrote the left one itself
        ("10.1.2.3", "198.51.100.1, 192.168.1.7", "198.51.100.1"),
        ("10.1.2.3", "10.9.9.9", "10.9.9.9"),
        ("10.1.2.3", "198.51.100.1, garbage", "10.1.2.3"),
        ("10.1.2.3", "", "10.1.2.3"),
        ("::ffff:10.1.2.3", "198.51.100.1", "198.51.100.1"),
        ("2001:db8::1", "2001:db9::9", "2001:db9::9"),
        ("unknown", "198.51.100.1", "unknown"),
        ("10.1.2.3", "198.51.100.1:567", "198.51.100.1"),
        ("10.1.2.3", "[2001:db9::1]", "2001:db9::1"),
        ("10.1.2.3", "[2001:db9::1]:80", "2001:db9::1"),
        ("10.1.2.3", "[::1]:80", "::1"),
        ("10.1.2.3", "198.51.100.1:1, 192.168.1.7:2", "198.51.100.1"),
        ("10.1.2.3", "::ffff:198.51.100.1", "198.51.100.1"),
        ("10.1.2.3", "[::ffff:198.51.100.1]:80", "198.51.100.1"),
        *(("10.1.2.3", f"198.51.100.1, {odd}", "10.1.2.3") for odd in ODD),
    ],
)
def test_the_rightmost_address_that_is_no_proxy_is_the_client(peer: str, header: str | None, client: str) -> None:
    """Seen failing with the leftmost entry taken; and before entries could have ports and brackets: everybody behind
    such a balancer was one address, its own."""
    assert client_address(peer, header, PROXIES) == client


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost", "localhost"),
        ("Example.ORG:8001", "example.org"),
        ("127.0.0.1:65535", "127.0.0.1"),
        ("[::1]:80", "::1"),
        *((bad, None) for bad in ("", "a@b/../admin", "x:99999", "x:", "a b", "x:٨٠", "a,b", "[::1", "x:1:2", "é")),
    ],
)
def test_only_a_name_or_address_with_a_port_is_a_host(header: str, name: str | None) -> None:
    """Seen failing (by the gateway's port) where one Host header of any content would do."""
    assert host_name(header) == name


def test_only_bare_loopback_is_spared_from_limits() -> None:
    """Seen failing with the forwarding header ignored: everybody behind a proxy on loopback was spared."""
    assert is_lenient("127.0.0.1", has_forwarding_header=False, trusted=())
    assert is_lenient("::1", has_forwarding_header=False, trusted=())
    assert not is_lenient("127.0.0.1", has_forwarding_header=True, trusted=())
    assert not is_lenient("127.0.0.1", has_forwarding_header=False, trusted=PROXIES)
    assert not is_lenient("203.0.113.5", has_forwarding_header=False, trusted=())
    assert not is_lenient("unknown", has_forwarding_header=False, trusted=())


def test_a_customer_of_ipv6_counts_once() -> None:
    """Seen failing with the address itself for its /64: one customer had 2^64 shares."""
    assert address_group("2001:db8:1:2::1") == address_group("2001:db8:1:2:ffff::9")
    assert address_group("2001:db8:1:2::1") != address_group("2001:db8:1:3::1")
    assert address_group("::ffff:203.0.113.5") == address_group("203.0.113.5") == "203.0.113.5"
    assert address_group("unknown") == "unknown"
