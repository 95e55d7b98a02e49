"""How a module that is switched is told of: on the audit trail, in the metrics and in the log."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from tieout.control.audit.actions import Entry
from tieout.control.tenants.modules import Toggle
from tieout.core import metrics
from tieout.core.actor import Actor

ACTION = "registration.module_toggled"
_log = structlog.get_logger("tieout.tenants")


def entry_of(switched: Iterable[Toggle], entity_type: str, entity_id: str) -> Entry:
    """Return the event of the audit trail for modules that were switched."""
    return Entry("superadmin", ACTION, entity_type, entity_id, {"toggles": _told(switched)})


def report_toggles(switched: Iterable[Toggle], actor: Actor, **about: str) -> None:
    """Count and log modules that were switched; to be called after the commit, for before it they may not be."""
    told = _told(switched)
    for one in told:
        module = metrics.bounded("module", str(one["key"]))
        metrics.MODULE_TOGGLES.labels(module=module, enabled="true" if one["to"] else "false").inc()
    if told:
        _log.info("superadmin.module_toggles.updated", actor=actor.name, toggles=told, **about)


def _told(switched: Iterable[Toggle]) -> list[dict[str, object]]:
    return [{"key": one.key, "from": one.was, "to": one.is_now} for one in switched]
