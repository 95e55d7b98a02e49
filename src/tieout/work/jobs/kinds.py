"""What kinds of jobs there are: each names the code that does it, its queue, and how failures are tried again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from tieout.core.errors import TieoutError
from tieout.work.jobs.rules import BackOff, Job, Queue

if TYPE_CHECKING:
    from tieout.work.jobs.steps import Steps

ItemsHandler = Callable[[Connection, Sequence[Job]], Sequence[Any] | None]
StepsHandler = Callable[["Steps"], Any]


class Hopeless(TieoutError):
    """A job failed in a way that another attempt cannot mend; it becomes a dead letter at once."""

    code = "hopeless"


@dataclass(frozen=True)
class Items:
    """Many small jobs, done together: `do` gets jobs of one tenant and the transaction that marks them as done.

    What `do` changes through that connection happens exactly once; anything else may happen again. It returns None, or
    the result of each job in their order. Where it raises, the batch is halved until the jobs that fail stand alone.
    """

    do: ItemsHandler
    queue: str = "default"
    back_off: BackOff = field(default_factory=BackOff)
    is_of_platform: bool = False
    """Whether the connection sees every tenant's rows: for the platform's own work alone."""


@dataclass(frozen=True)
class InSteps:
    """A long job: what `do` does in `steps.step(name, action)` is kept, and an attempt begins where the last stopped.

    A step may run again where its worker was lost in the middle of it. `timeout_s` is asked about between steps, and
    a job that is held for longer is taken by another worker.
    """

    do: StepsHandler
    queue: str = "default"
    back_off: BackOff = field(default_factory=BackOff)
    timeout_s: float = 6 * 3600


Kind = Items | InSteps


@dataclass(frozen=True)
class Kinds:
    """All that a worker can do, by the name of the kind, and the limits of the queues that have some."""

    kinds: Mapping[str, Kind]
    queues: Mapping[str, Queue] = field(default_factory=dict)

    def lanes(self, of: type[Items | InSteps]) -> list[tuple[str, tuple[str, ...]]]:
        """Return each queue with the kinds of one sort in it."""
        found: dict[str, list[str]] = {}
        for name, kind in sorted(self.kinds.items()):
            if isinstance(kind, of):
                found.setdefault(kind.queue, []).append(name)
        return [(queue, tuple(names)) for queue, names in sorted(found.items())]

    def limits(self, queue: str) -> Queue:
        """Return how the jobs of a queue are taken."""
        return self.queues.get(queue, Queue())
