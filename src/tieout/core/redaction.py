"""What must not stand in logs, exports and error texts is taken out here: addresses, tokens, keys, card numbers.

Every function is idempotent. Every pattern takes time linear in the text: a part that may repeat without bound is
followed by something it cannot itself match, or starts only where a run of its characters starts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Interface, ip_interface, ip_network
from typing import Any

MASK = "[REDACTED]"
EMAIL = "[REDACTED_EMAIL]"
JWT = "[REDACTED_JWT]"
NUMERIC = "[REDACTED_NUMERIC]"
HEX = "[REDACTED_HEX]"
MAX_DEPTH = 8

# From the sign on: what stands before it is looked for from there to the left, so that no run is read twice.
_AT_DOMAIN = re.compile(r"([@\uff20]|%(?:25)*40)[\w-]+(?:\.[\w-]+)+")
_LOCAL_BACKWARDS = re.compile(r"[\w.%+'-]*")
_BEARER = re.compile(r"\bbearer(?:\s+|%20)(?:bearer\s+)*[\w.~+/=%-]+", re.IGNORECASE)
_PART = r"[A-Za-z0-9_-]"
_DOT = r"(?:\.|%2[Ee])"
# It matches from every `eyJ` to the end of its run whether or not a token follows, so that no run is read twice.
_TOKEN = re.compile(rf"(?<![A-Za-z0-9])eyJ{_PART}*+({_DOT}{_PART}++{_DOT}{_PART}*+)?+")
_PAYMENT_KEY = re.compile(r"(?<![^\W_])(sk_(?:test|live)_)\w+", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"(?<![^\W_])\d{13,19}(?![^\W_])")

_URL_PASSWORD = re.compile(r"://[^\s/@:\[]*:[^\s/@]+@")
_NAMED_SECRET = re.compile(
    r"((?:token|password|passwd|secret|api_?key)=)(?!\[REDACTED\](?:[\s&;\"']|$))[^\s&;\"']+", re.IGNORECASE
)
_LONG_HEX = re.compile(r"(?<![^\W_])[0-9A-Fa-f]{32,}(?![^\W_])")


def _token_or_word(found: re.Match[str]) -> str:
    return JWT if found[1] else found[0]


_MASKED_KEYS = frozenset(
    {"auth", "token", "tokens", "sig", "digest", "hash", "prevhash", "reasoncode", "setcookie", "passwd", "passphrase"}
)
_MASKED_ENDS = ("authorization", "token", "apikey", "password", "secret", "secrets", "cookie", "cookies", "signature")
_DROPPED_KEYS = frozenset({"idfa", "gaid", "deviceid"})
_ADDRESS_KEYS = frozenset({"ip", "ipaddress", "clientip", "remoteip", "remoteaddr", "xforwardedfor"})
_URL_KEYS = frozenset({"uri", "href", "referer", "referrer"})
# What these hold is made by the program and told from one log line to the next by its hex.
_KEYS_OF_DIGESTS = frozenset({"requestid", "traceid", "spanid", "traceparent", "sha256"})
_HASHED = re.compile(r"sha256:[0-9a-f]{64}(?::.{0,2})?", re.DOTALL)


def redact_text(text: str) -> str:
    """Return `text` without e-mail addresses, bearer tokens, JWTs, payment keys and numbers of 13 to 19 digits.

    For exports, evidence and error texts.
    """
    text = _without_emails(text)
    text = _BEARER.sub(f"Bearer {MASK}", text)
    text = _TOKEN.sub(_token_or_word, text)
    text = _PAYMENT_KEY.sub(rf"\1{MASK}", text)
    return _LONG_NUMBER.sub(NUMERIC, text)


def redact_log_text(text: str) -> str:
    """Return `text` as `redact_text` does, and without `token=…` values, passwords in URLs and long hex."""
    return _LONG_HEX.sub(HEX, _with_digests(text))


@dataclass(frozen=True)
class Redaction:
    """How the fields of a log entry are redacted; `salt` is the installation's, so that its users' ids stay apart."""

    salt: bytes = b""

    def fields(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return `fields` as a log may hold them: by key where the key says what it is, else by its text."""
        return self._mapping(fields, 0)

    def _mapping(self, fields: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for key, value in fields.items():
            name = _plain(str(key))
            if name not in _DROPPED_KEYS and "consent" not in name:
                kept[redact_log_text(str(key))] = self._field(name, value, depth)
        return kept

    def _field(self, name: str, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if name in _MASKED_KEYS or name.endswith(_MASKED_ENDS) or name.startswith("card"):
            return MASK
        if name == "userid":
            return self._hashed(str(value))
        if name.endswith("email") and isinstance(value, str):
            return value if _HASHED.fullmatch(value) else f"{self._hashed(value.lower())}:{value[-2:]}"
        if name in _ADDRESS_KEYS:
            return _network(str(value))
        if isinstance(value, str):
            if name in _URL_KEYS or name.endswith("url"):
                return redact_log_text(re.split(r"[?#]", value, maxsplit=1)[0])
            if name in _KEYS_OF_DIGESTS or name.endswith(("digest", "sha256")):
                return _with_digests(value)
        return self._value(value, depth)

    def _value(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, str):
            return redact_log_text(value)
        if depth >= MAX_DEPTH:
            return "[TOO DEEP]"
        if isinstance(value, Mapping):
            return self._mapping(value, depth + 1)
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self._value(one, depth + 1) for one in value]
        if isinstance(value, (bytes, bytearray)):
            return redact_log_text(bytes(value).decode("utf-8", "replace"))
        return redact_log_text(str(value))

    def _hashed(self, value: str) -> str:
        if _HASHED.fullmatch(value):
            return value
        return "sha256:" + hashlib.sha256(self.salt + value.encode("utf-8", "surrogatepass")).hexdigest()


def _with_digests(text: str) -> str:
    text = redact_text(_URL_PASSWORD.sub(f"://{MASK}@", text))
    return _NAMED_SECRET.sub(rf"\1{MASK}", text)


def _without_emails(text: str) -> str:
    kept, end = [], 0
    for found in _AT_DOMAIN.finditer(text):
        before = text[end : found.start()]
        local = _LOCAL_BACKWARDS.match(before[::-1])
        if local and local.end():
            kept += [before[: -local.end()], EMAIL]
            end = found.end()
        else:  # no address, and what looks like its domain may be the start of one
            kept.append(text[end : found.end(1)])
            end = found.end(1)
    return "".join([*kept, text[end:]])


def _plain(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "").replace(".", "")


def _network(address: str) -> str:
    try:
        found = ip_interface(address.strip())
    except ValueError:
        return MASK
    if isinstance(found, IPv6Interface):
        if found.ip.ipv4_mapped is None:
            return str(ip_network((found.ip, 48), strict=False))
        return str(ip_network((found.ip.ipv4_mapped, 24), strict=False))
    return str(ip_network((found.ip, 24), strict=False))
