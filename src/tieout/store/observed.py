"""Counts and times what is asked of a database: for servers, which show it in their metrics."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, Engine, event

from tieout.core import metrics

_OPERATIONS = frozenset({"select", "insert", "update", "delete", "with"})
_BEGAN = "tieout_began"


def observe(engine: Engine, *, is_replica: bool = False) -> None:
    """Time each statement of `engine`, and count its transactions by tenant."""
    replica = str(is_replica).lower()
    timers = {name: metrics.DB_QUERY_DURATION.labels(name, replica) for name in (*_OPERATIONS, metrics.OTHER)}

    def before(_connection: Connection, _cursor: Any, _statement: str, _values: Any, context: Any, _many: bool) -> None:  # noqa: FBT001 - SQLAlchemy's
        if context is not None:
            context.tieout_began = time.perf_counter()

    def after(_connection: Connection, _cursor: Any, statement: str, _values: Any, context: Any, _many: bool) -> None:  # noqa: FBT001 - SQLAlchemy's
        began = getattr(context, _BEGAN, None)
        if began is not None:
            word = statement[:8].split(None, 1)[0].lower() if statement else ""
            timers.get(word, timers[metrics.OTHER]).observe(time.perf_counter() - began)

    def begin(connection: Connection) -> None:
        tenant = connection.get_execution_options().get("tenant", "")
        gauge = metrics.DB_CONNECTIONS_ACTIVE.labels(metrics.bounded("tenant", tenant or "none"))
        connection.info["tieout_gauge"] = gauge
        gauge.inc()

    def end(connection: Connection) -> None:
        gauge = connection.info.pop("tieout_gauge", None)
        if gauge is not None:
            gauge.dec()

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    event.listen(engine, "begin", begin)
    event.listen(engine, "commit", end)
    event.listen(engine, "rollback", end)
