"""Every flag that exists. One that is not here cannot be set or asked for."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from tieout.core.errors import TieoutError

FlagValue = bool | int | float | str

VRA_ENABLED = "VRA_ENABLED"
VRA_SHADOW_ONLY = "VRA_SHADOW_ONLY"
MAINTENANCE_MODE = "support.maintenance_mode"


class UnknownFlag(TieoutError):
    """No flag has this key; `subject` is the key."""

    code = "unknown_flag"
    http_status = 404


@dataclass(frozen=True)
class Flag:
    """A flag as the code declares it.

    `environment` is the variable that overrides it. `is_exact` says that there only the word `true` switches it on and
    any other word off, so that a slip of the pen never enables it.
    """

    key: str
    default: FlagValue
    meaning: str
    environment: str
    is_exact: bool = False
    is_of_a_module: bool = False

    @property
    def kind(self) -> str:
        return {bool: "boolean", int: "integer", float: "number", str: "text"}[type(self.default)]

    @property
    def feature(self) -> tuple[str, str] | None:
        """Module and feature, where a plan may give it to a tenant."""
        if not self.is_of_a_module:
            return None
        module, _, feature = self.key.partition(".")
        return module, feature


def _flag(key: str, default: FlagValue, meaning: str) -> Flag:
    return Flag(key, default, meaning, f"TIEOUT_FLAG_{key.upper().replace('.', '_')}")


def _feature(key: str, meaning: str, *, default: bool = False) -> Flag:
    return Flag(key, default, meaning, f"TIEOUT_FLAG_{key.upper().replace('.', '_')}", is_of_a_module=True)


_DECLARED = (
    Flag(VRA_ENABLED, False, "Variance analytics: its routes answer at all.", VRA_ENABLED, is_exact=True),
    Flag(VRA_SHADOW_ONLY, True, "Variance analytics only watch: no dispute leaves the house.", VRA_SHADOW_ONLY),
    _flag(MAINTENANCE_MODE, False, "Maintenance: writes are refused, reads go on."),
    _flag("multi_location", False, "A tenant may have several locations."),
    _flag("advanced_reporting", False, "Reports beyond the standard ones."),
    _flag("api_integrations", False, "Programs of others may use the API of a tenant."),
    _feature("pos.offline_queue", "Sales are queued while a till has no connection.", default=True),
    _feature("pos.customer_tabs", "A customer may keep a tab open."),
    _feature("pos.dual_cash_drawer", "A till has two cash drawers."),
    _feature("inventory.batch_tracking", "Stock is followed by batch."),
    _feature("inventory.barcode_scanning", "Stock is counted by barcode."),
    _feature("inventory.waste_tracking", "Waste is recorded."),
    _feature("analytics.realtime_dashboards", "Dashboards follow events as they come."),
    _feature("reporting.export_sla", "Exports are delivered within an agreed time."),
    _feature("loyalty.api_access", "Loyalty accounts are open to programs of the tenant."),
)

FLAGS: dict[str, Flag] = {flag.key: flag for flag in _DECLARED}
"""By key: what `support.maintenance_mode` and the like stand for, and what they are unless somebody says otherwise."""


def get_flag(key: str) -> Flag:
    """Return the flag of this key; raise UnknownFlag, naming those that are spelt alike."""
    if key in FLAGS:
        return FLAGS[key]
    near = get_close_matches(key[:128], FLAGS, n=2, cutoff=0.6)
    raise UnknownFlag(
        f"There is no flag {key[:128]!r}.",
        subject=key[:128],
        remedy=f"Did you mean {' or '.join(near)}?" if near else "`tieout flags list` shows those that exist.",
    )
