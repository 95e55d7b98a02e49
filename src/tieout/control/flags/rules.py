"""What a flag is for a tenant at an instant, and why. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tieout.control.flags.registry import FLAGS, Flag, FlagValue
from tieout.core.errors import TieoutError
from tieout.core.settings import BadSetting

MAX_TEXT = 1000
MAX_WHOLE = 2**53 - 1
_ON = ("true", "1", "yes", "on")
_OFF = ("false", "0", "no", "off")
_PREFIX = "TIEOUT_FLAG_"

Origin = Literal["environment", "tenant", "global", "module", "default"]


class BadFlagValue(TieoutError):
    """A flag cannot have this value; `subject` is its key."""

    code = "bad_flag_value"


@dataclass(frozen=True)
class FlagSetting:
    """What somebody set a flag to, and until when."""

    value: FlagValue
    expires: datetime | None
    reason: str | None
    updated_by: str | None
    updated: datetime

    def counts(self, now: datetime) -> bool:
        """Whether it has not expired at `now`."""
        return self.expires is None or now < self.expires


@dataclass(frozen=True)
class Known:
    """All that the state says about flags, for one tenant or, where there is none, for all."""

    read_at: datetime
    everywhere: Mapping[str, FlagSetting]
    tenant: Mapping[str, FlagSetting] = field(default_factory=dict)
    features: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    tenant_status: str | None = None
    """Of the tenant, such as `suspended`; None for one that was never registered, such as `default`."""


@dataclass(frozen=True)
class Resolved:
    """The value of a flag, where it comes from, and the setting that says so if any."""

    flag: Flag
    value: FlagValue
    origin: Origin
    setting: FlagSetting | None = None

    @property
    def reason(self) -> str:
        """Why, in the words of OpenFeature."""
        if self.origin in ("tenant", "module"):
            return "TARGETING_MATCH"
        return "DEFAULT" if self.origin == "default" else "STATIC"

    @property
    def variant(self) -> str:
        """The value by name."""
        if isinstance(self.value, bool):
            return "on" if self.value else "off"
        return str(self.value)


def resolve(flag: Flag, environment: Mapping[str, FlagValue], known: Known, now: datetime) -> Resolved:
    """Return what `flag` is: as the environment says, else the tenant, else the platform, its modules, the default."""
    if flag.key in environment:
        return Resolved(flag, environment[flag.key], "environment")
    own, common = known.tenant.get(flag.key), known.everywhere.get(flag.key)
    if own is not None and own.counts(now):
        return Resolved(flag, own.value, "tenant", own)
    if common is not None and common.counts(now):
        return Resolved(flag, common.value, "global", common)
    if flag.feature is not None and flag.feature in known.features:
        return Resolved(flag, known.features[flag.feature], "module")
    return Resolved(flag, flag.default, "default")


def flags_of_environment(texts: Mapping[str, str]) -> dict[str, FlagValue]:
    """Return the flags that variables of the environment set, by key.

    Raises BadSetting for a value that cannot be read, and for a `TIEOUT_FLAG_…` that names no flag.
    """
    by_variable = {flag.environment: flag for flag in FLAGS.values()}
    values: dict[str, FlagValue] = {}
    for variable, text in texts.items():
        if variable in by_variable:
            values[by_variable[variable].key] = _of_environment(by_variable[variable], text)
        elif variable.startswith(_PREFIX):
            raise BadSetting(
                f"{variable} names no flag.", subject=variable, remedy="`tieout flags list` shows the variable of each."
            )
    return values


def _of_environment(flag: Flag, text: str) -> FlagValue:
    if flag.is_exact:
        return text == "true"
    try:
        return parse_value(flag, text)
    except BadFlagValue as error:
        raise BadSetting(f"{flag.environment}: {error.what}", subject=flag.environment, remedy=error.remedy) from None


def parse_value(flag: Flag, text: str) -> FlagValue:
    """Return the value that `text` says, as typed by a person; raise BadFlagValue."""
    word = text.strip().lower()
    if isinstance(flag.default, bool):
        if word in _ON or word in _OFF:
            return word in _ON
        raise _bad(flag, text)
    if isinstance(flag.default, str):
        return check_value(flag, text)
    try:
        return check_value(flag, int(text) if isinstance(flag.default, int) else float(text))
    except ValueError:
        raise _bad(flag, text) from None


def check_value(flag: Flag, value: Any) -> FlagValue:
    """Return `value` if the flag may have it; raise BadFlagValue."""
    if isinstance(flag.default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) <= MAX_WHOLE else value
    is_of_its_kind = type(value) is type(flag.default)
    if not is_of_its_kind or (isinstance(value, str) and (len(value) > MAX_TEXT or "\0" in value)):
        raise _bad(flag, value)
    if isinstance(value, float) and not math.isfinite(value):
        raise _bad(flag, value)
    if isinstance(value, int) and abs(value) > MAX_WHOLE:
        raise _bad(flag, value)
    return value  # type: ignore[no-any-return]  # it has the type of a default


def _bad(flag: Flag, value: Any) -> BadFlagValue:
    wanted = {
        "boolean": "true or false",
        "integer": f"a whole number of at most {MAX_WHOLE}",
        "number": "a number",
        "text": f"a text of at most {MAX_TEXT} characters",
    }
    return BadFlagValue(
        f"The flag {flag.key} cannot be {str(value)[:100]!r}.",
        subject=flag.key,
        remedy=f"It takes {wanted[flag.kind]}.",
    )
