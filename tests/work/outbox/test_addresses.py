from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tieout.work.outbox.addresses import (
    AddressRefused,
    Reach,
    Target,
    UrlRefused,
    is_public,
    parse_target,
    permitted_addresses,
)

CLOSED = Reach()
OPEN_LOOPBACK = Reach(is_http_allowed=True, allowed=(ip_network("127.0.0.0/8"),))
NEVER = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
]  # fmt: skip
NEVER_IPV6 = [
    "::/128", "::1/128", "::/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:db8::/32", "2002::/16", "fc00::/7",
    "fe80::/10", "fec0::/10", "ff00::/8", "4000::/2",
]  # fmt: skip


def within(network):
    network = ip_network(network)
    kind = type(network.network_address)
    return st.integers(int(network.network_address), int(network.broadcast_address)).map(kind)


special_ipv4 = st.one_of(*map(within, NEVER))
special_ipv6 = st.one_of(*map(within, NEVER_IPV6))


@settings(deadline=None)
@given(special_ipv4)
@example(IPv4Address("169.254.169.254"))
def test_no_special_ipv4_address_is_reached_however_it_is_wrapped(address):
    number = int(address)
    assert not CLOSED.permits(address)
    for wrapped in (
        0xFFFF << 32 | number,  # IPv4-mapped
        number,  # IPv4-compatible
        0xFFFF << 48 | number,  # IPv4-translated
        0x64FF9B << 96 | number,  # NAT64
        0x64FF9B0001 << 80 | number,  # NAT64, local
        0x2002 << 112 | number << 80 | 1,  # 6to4
        0x20010000 << 96 | number ^ 0xFFFFFFFF,  # Teredo
    ):
        assert not CLOSED.permits(IPv6Address(wrapped)), IPv6Address(wrapped)


@settings(deadline=None)
@given(special_ipv6)
def test_no_special_ipv6_address_is_reached(address):
    assert not CLOSED.permits(address)


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "1.1.1.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_public_addresses_are_reached(text):
    assert CLOSED.permits(ip_address(text))


def test_an_address_with_a_zone_is_never_public():
    assert not is_public(ip_address("2606:4700::1111%eth0"))


def test_the_operator_may_allow_a_network_and_only_that():
    assert OPEN_LOOPBACK.permits(ip_address("127.0.0.1"))
    assert OPEN_LOOPBACK.permits(ip_address("::ffff:127.0.0.1"))
    assert not OPEN_LOOPBACK.permits(ip_address("::1"))
    assert not OPEN_LOOPBACK.permits(ip_address("169.254.169.254"))


def spellings(address):
    a, b, c, d = address.packed
    number = int(address)
    return [
        str(number), hex(number), f"0{number:o}", f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}", f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"{a}.{b}.{c << 8 | d}", f"{a}.{b << 16 | c << 8 | d}", f"{a:03}.{b:03}.{c:03}.{d:03}",
    ]  # fmt: skip


@settings(deadline=None)
@given(special_ipv4)
@example(IPv4Address("127.0.0.1"))
def test_no_spelling_of_an_address_gets_past(address):
    for spelt in [str(address), *spellings(address)]:
        with pytest.raises(UrlRefused):
            parse_target(f"https://{spelt}/", CLOSED)
        try:
            means = {found[4][0] for found in socket.getaddrinfo(spelt, 443, flags=socket.AI_NUMERICHOST)}
        except OSError:
            continue  # this system takes it for a name
        if all(CLOSED.permits(ip_address(one)) for one in means):
            continue  # 010.0.0.0 is 8.0.0.0
        # Should such a name come from the database all the same, what it resolves to is judged.
        with pytest.raises(AddressRefused):
            permitted_addresses(
                Target("https", spelt, 443, "/"), CLOSED, lambda _host, _port, means=means: sorted(means)
            )


@settings(deadline=None)
@given(special_ipv6)
def test_no_ipv6_literal_gets_past(address):
    for spelt in (str(address), address.exploded, str(address).upper()):
        with pytest.raises(UrlRefused):
            parse_target(f"https://[{spelt}]/", CLOSED)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/", "ftp://hooks.example.com/", "HTTPS:hooks.example.com", "//hooks.example.com/",
        "", "https://", "https:///x", "https://user:pw@hooks.example.com/", "https://hooks.example.com@127.0.0.1/",
        "https://127.0.0.1\\@hooks.example.com/", "https://hooks.example.com/#@127.0.0.1",
        "https://hooks.example.com/ x", "https://hooks.example.com/\r\nHost: x", "https://hooks.example.com:99999/",
        "https://hooks.example.com:22/", "https://hooks.example.com:0/", "https://hooks.example.com:x/",
        "https://①②⑦.⓪.⓪.①/", "https://bücher.example/", "https://-a.example/", "https://a..b/",
        "https://a." + "b" * 64 + "/", "https://[::1%25eth0]/", "https://[fe80::1%eth0]/", "https://[::1/",
        "https://[v1.x]/", "https://[1.2.3.4]x/", "https://0x7f.1/", "https://1.2.3/", "https://example.1/",
        "https://example.0xff/", "https://hooks.example.com/" + "a" * 2048, "https://%31%32%37.0.0.1/",
        "https://localhost%00.example/", "https://[8.8.8.8]/",
    ],
)  # fmt: skip
def test_a_url_that_is_not_plain_is_refused(url):
    with pytest.raises(UrlRefused):
        parse_target(url, CLOSED)


def test_a_plain_url_is_taken_apart():
    assert parse_target("https://Hooks.example.com:8443/in?x=1&y=%20", CLOSED) == Target(
        "https", "hooks.example.com", 8443, "/in?x=1&y=%20"
    )
    assert parse_target("https://[2606:4700::1111]", CLOSED).authority == "[2606:4700::1111]"
    assert parse_target("http://127.0.0.1:8080", OPEN_LOOPBACK).authority == "127.0.0.1:8080"
    assert parse_target("https://8.8.8.8/", CLOSED).authority == "8.8.8.8"


@settings(deadline=None)
@given(st.text(max_size=40))
def test_no_text_is_a_fault(text):
    for url in (text, f"https://{text}", f"https://hooks.example.com{text}"):
        try:
            target = parse_target(url, CLOSED)
        except UrlRefused:
            continue
        assert target.scheme == "https"
        assert "\n" not in target.path + target.host


@settings(deadline=None)
@given(st.lists(st.sampled_from(["8.8.8.8", "2606:4700::1111", "127.0.0.1", "fd00::1", "::ffff:10.0.0.1"]), min_size=1))
def test_a_name_with_one_forbidden_address_is_refused_whole(found):
    target = Target("https", "hooks.example.com", 443, "/")
    if all(CLOSED.permits(ip_address(text)) for text in found):
        assert permitted_addresses(target, CLOSED, lambda *_: found) == [
            ip_address(text) for text in dict.fromkeys(found)
        ]
        return
    with pytest.raises(AddressRefused) as refused:
        permitted_addresses(target, CLOSED, lambda *_: found)
    assert not any(text in str(refused.value) for text in found)


def test_a_name_without_an_address_is_no_address():
    with pytest.raises(OSError, match="no address"):
        permitted_addresses(Target("https", "hooks.example.com", 443, "/"), CLOSED, lambda *_: [])
