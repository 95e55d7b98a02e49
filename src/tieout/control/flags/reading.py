"""Ask a flag: from a memory of a few seconds, so that it costs no query; by the API of OpenFeature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, Any

import structlog

from tieout.control.flags import store
from tieout.control.flags.registry import FLAGS, FlagValue, get_flag
from tieout.control.flags.rules import Known, Resolved, flags_of_environment, resolve
from tieout.store.state import State, StateUnavailable

if TYPE_CHECKING:
    from openfeature.client import OpenFeatureClient
    from openfeature.flag_evaluation import FlagEvaluationDetails

FRESH_FOR = timedelta(seconds=5)
"""How long after a change another process may still see the value of before."""

MAX_TENANTS = 10_000
_numbers = count(1)
_log = structlog.get_logger("tieout.flags")


class Flags:
    """The flags of an installation, for threads to share.

    What the state says is read at most every 5 s for each tenant. While the state cannot be read, what was read last
    goes on counting: a database that is gone for a minute must not switch anything.
    """

    def __init__(self, state: State, texts: Mapping[str, str], now: Callable[[], datetime]) -> None:
        self.environment = flags_of_environment(texts)
        self.domain = f"tieout-{next(_numbers)}"
        """The domain of OpenFeature under which these flags answer."""
        self._state, self._now = state, now
        self._known: dict[str, Known] = {}
        self._changes = 0
        self._lock = Lock()

    def is_on(self, key: str, tenant: str = "") -> bool:
        """Whether a boolean flag is on for `tenant`, or for all.

        Raises UnknownFlag, and StateUnavailable where the state was never read.
        """
        return self.details(key, tenant).value is True

    def details(self, key: str, tenant: str = "") -> FlagEvaluationDetails[Any]:
        """Return value, reason and variant of a flag for `tenant`, as OpenFeature evaluates it."""
        from openfeature.evaluation_context import EvaluationContext  # noqa: PLC0415 - help answers without it

        flag = get_flag(key)
        self.known(tenant)  # so that a state that cannot be read is said, not taken for a default
        context = EvaluationContext(targeting_key=tenant)
        evaluate: dict[str, Callable[..., FlagEvaluationDetails[Any]]] = {
            "boolean": self.client.get_boolean_details,
            "integer": self.client.get_integer_details,
            "number": self.client.get_float_details,
            "text": self.client.get_string_details,
        }
        return evaluate[flag.kind](key, flag.default, context)

    def resolved(self, key: str, tenant: str = "") -> Resolved:
        """Return what a flag is for `tenant`, and where that comes from."""
        return resolve(get_flag(key), self.environment, self.known(tenant), self._now())

    def all_resolved(self, tenant: str = "") -> list[Resolved]:
        """Return every flag as it is for `tenant`."""
        known, now = self.known(tenant), self._now()
        return [resolve(flag, self.environment, known, now) for flag in FLAGS.values()]

    def recall(self, tenant: str = "") -> Known | None:
        """Return what is known from memory; None where the state must be asked."""
        known = self._known.get(tenant)
        is_fresh = known is not None and timedelta(0) <= self._now() - known.read_at < FRESH_FOR
        return known if is_fresh else None

    def known(self, tenant: str = "") -> Known:
        """Return what is known, from the state where memory is too old; raise StateUnavailable."""
        known = self.recall(tenant)
        if known is not None:
            return known
        changes = self._changes
        try:
            known = self._read(tenant)
        except StateUnavailable as error:
            last = self._known.get(tenant)
            if last is None:
                raise
            _log.warning("Flags are those that were read last", tenant_id=tenant, reason=error.code)
            return last
        with self._lock:
            if changes != self._changes:  # it may have been read before the change
                return known
            self._known.pop(tenant, None)
            while len(self._known) >= MAX_TENANTS:
                del self._known[next(iter(self._known))]
            self._known[tenant] = known
        return known

    def forget(self) -> None:
        """Read the state anew at the next question: this process changed something."""
        with self._lock:
            self._changes += 1
            self._known.clear()

    @cached_property
    def client(self) -> OpenFeatureClient:
        """The client of OpenFeature that these flags answer; the targeting key is the tenant."""
        from openfeature import api  # noqa: PLC0415

        from tieout.control.flags.provider import StateProvider  # noqa: PLC0415

        api.set_provider_and_wait(StateProvider(self), self.domain)
        return api.get_client(self.domain)

    def close(self) -> None:
        """Let OpenFeature forget these flags."""
        if "client" in self.__dict__:
            from openfeature import api  # noqa: PLC0415
            from openfeature.provider.no_op_provider import NoOpProvider  # noqa: PLC0415

            api.set_provider_and_wait(NoOpProvider(), self.domain)

    def _read(self, tenant: str) -> Known:
        now = self._now()
        with self._state.of(tenant).reading() as connection:
            everywhere = store.platform_settings(connection)
            if not tenant:
                return Known(now, everywhere)
            return Known(
                now,
                everywhere,
                store.tenant_settings(connection, tenant),
                store.features(connection, tenant),
                store.tenant_status(connection, tenant),
            )


__all__ = ["FlagValue", "Flags", "Known", "Resolved"]
