"""Calls that come at the same moment are done together: one transaction, one wait for the disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any, TypeVar

AT_MOST = 100
"""How many calls are done at once."""

Asked = TypeVar("Asked")
Given = TypeVar("Given")


@dataclass(eq=False)
class _Call:
    asked: Any
    turn: Event = field(default_factory=Event)
    """Set when the call is done, or when it is its turn to do those that wait."""
    is_done: bool = False
    given: Any = None
    error: BaseException | None = None


class Together:
    """Lets one caller at a time do what others ask for meanwhile. Safe between threads.

    Nobody waits for company: a call that comes alone is done at once, and those that come while it is at work are the
    next batch, which the first of them does.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: dict[Hashable, deque[_Call]] = {}
        """By key, while a call of it is at work."""

    def call(self, key: Hashable, asked: Asked, do: Callable[[Sequence[Asked]], Sequence[Given | Exception]]) -> Given:
        """Return what `do` gives for `asked`, in a batch with what other callers of the same key ask for.

        `do` gives for each what to return, or an error to raise to the one who asked; what it raises, everyone
        of the batch gets. It is one function for all callers of a key.
        """
        mine = _Call(asked)
        with self._lock:
            is_leading = key not in self._waiting
            self._waiting.setdefault(key, deque()).append(mine)
        if not is_leading:
            mine.turn.wait()
        if not mine.is_done:
            self._lead(key, do)
        if mine.error is not None:
            raise mine.error
        given: Given = mine.given
        return given

    def _lead(self, key: Hashable, do: Callable[[Sequence[Any]], Sequence[Any]]) -> None:
        """Do the calls that wait, and leave those that come meanwhile to the first of them."""
        with self._lock:
            waiting = self._waiting[key]
            batch = [waiting.popleft() for _ in range(min(AT_MOST, len(waiting)))]
        try:
            for call, given in zip(batch, do([call.asked for call in batch]), strict=True):
                call.given, call.error = (None, given) if isinstance(given, Exception) else (given, None)
        except BaseException as error:  # noqa: BLE001 - raised again to each of the batch
            for call in batch:
                call.error = error
        finally:
            with self._lock:
                if waiting:
                    waiting[0].turn.set()
                else:
                    del self._waiting[key]
            for call in batch:
                call.is_done = True
                call.turn.set()
