"""Where an event may be sent: URLs as they must be written, and addresses that are public or that the operator allows.

A tenant chooses the URL, so it may try to reach what only this machine can: the network behind it, the metadata of its
cloud, its own loopback. The name is resolved once, every address it has is judged, and the connection goes to the
addresses that were judged (`sending.py`), so that a name which changes its answer in between gains nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import ClassVar
from urllib.parse import urlsplit

from tieout.core.errors import TieoutError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Sequence[str]]
"""From name and port to the addresses of the name; raises OSError."""

MAX_URL = 2048
SAFE_LOW_PORTS = frozenset({80, 443})

_ALLOWED_CHARACTERS = re.compile(r"[\w.~:/?#\[\]@!$&'()*+,;=%-]+", re.ASCII)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+", re.ASCII | re.IGNORECASE)
_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All that was ever given out; what wraps an IPv4 address stands outside, but for the two of _TUNNELS."""
_TUNNELS = (IPv6Network("2002::/16"), IPv6Network("2001::/32"))
"""6to4 and Teredo: an IPv4 address inside decides where a packet goes."""
_PROTOCOLS = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"))
"""Of protocols and relays, not of hosts; Python takes some of them for public."""


class UrlRefused(TieoutError):
    """The URL of an endpoint is not written as it must be, or names what may not be reached."""

    code = "url_refused"


class AddressRefused(TieoutError):
    """The name of an endpoint leads to an address that may not be reached; the message does not tell which."""

    code = "address_refused"
    problem: ClassVar[str] = "The endpoint's name leads to an address that events are not sent to."


@dataclass(frozen=True)
class Reach:
    """What the operator allows beyond https to public addresses."""

    is_http_allowed: bool = False
    allowed: tuple[Network, ...] = ()

    def permits(self, address: Address) -> bool:
        """Whether events may be sent to `address`."""
        judged = _unwrapped(address)
        return is_public(judged) or any(judged in network for network in self.allowed)


@dataclass(frozen=True)
class Target:
    """A URL, taken apart."""

    scheme: str
    host: str
    """As certificate, SNI and DNS have it: without brackets."""
    port: int
    path: str
    """With its query."""

    @property
    def authority(self) -> str:
        """The value of the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _default_port(self.scheme) else f"{host}:{self.port}"


def parse_target(url: str, reach: Reach) -> Target:
    """Return the parts of `url`; raise UrlRefused, which says what is wrong with it.

    The host is a DNS name or an address in its usual form: `0x7f.1` and its like mean an address to some and a name to
    others.
    """
    if len(url) > MAX_URL or not _ALLOWED_CHARACTERS.fullmatch(url):
        raise _refused(url, f"it is longer than {MAX_URL} characters or holds one that a URL does not have")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused(url, "it is not written as a URL is") from None
    scheme = parts.scheme
    if scheme not in ({"https", "http"} if reach.is_http_allowed else {"https"}):
        raise _refused(url, "it does not begin with https://")
    if "@" in parts.netloc or "#" in url:
        raise _refused(url, "it holds a user name or a fragment")
    port = _default_port(scheme) if port is None else port
    if port not in SAFE_LOW_PORTS and port < 1024:
        raise _refused(url, f"port {port} belongs to another protocol")
    host = _host(url, parts.netloc)
    literal = _as_address(host)
    if literal is not None and not reach.permits(literal):
        raise _refused(url, "its address is not public")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme, host, port, path)


def permitted_addresses(target: Target, reach: Reach, resolve: Resolve) -> list[Address]:
    """Return the addresses to connect to, in order of preference.

    Raises AddressRefused if even one of them may not be reached, and OSError where the name has none.
    """
    literal = _as_address(target.host)
    found = [literal] if literal else [ip_address(text) for text in dict.fromkeys(resolve(target.host, target.port))]
    if not found:
        raise OSError("the name has no address")
    if not all(reach.permits(address) for address in found):
        raise AddressRefused(AddressRefused.problem, subject=target.host)
    return found


def is_public(address: Address) -> bool:
    """Whether `address` is of the public internet: one machine's, and nothing wrapped inside another address."""
    if isinstance(address, IPv6Address):
        is_plain = address in _GLOBAL_UNICAST and not address.scope_id
        if not is_plain or any(address in network for network in _TUNNELS):
            return False
    elif any(address in network for network in _PROTOCOLS):
        return False
    is_special = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )
    return address.is_global and not is_special


def _unwrapped(address: Address) -> Address:
    """Return the IPv4 address that the network turns `address` into, or `address` itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:  # what a network of IPv6 alone answers for every host that has IPv4 alone
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _host(url: str, netloc: str) -> str:
    if netloc.startswith("["):
        text = netloc[1:].partition("]")[0]
        if _as_address(text) is None or "%" in text:
            raise _refused(url, "what stands in brackets is no IPv6 address")
        return text
    host = netloc.partition(":")[0].lower()
    if _as_address(host) is not None:
        return host
    labels = host.removesuffix(".").split(".")
    is_name = len(host) <= 253 and all(map(_LABEL.fullmatch, labels)) and not _NUMBER.fullmatch(labels[-1])
    if not is_name:
        raise _refused(url, "its host is neither a name nor an address in the usual form")
    return host


def _as_address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _refused(url: str, why: str) -> UrlRefused:
    return UrlRefused(
        f"Events cannot be sent to {url[:200]!r}: {why}.",
        remedy="Use a URL such as https://hooks.example.com/tieout, of a server on the public internet.",
    )
