"""Progress of long work on standard error: quiet for a second, then the step at hand."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

QUIET_S = 1.0
LINE_EVERY_S = 5.0

WORDS = {
    "receive": "taking the files in",
    "read": "reading",
    "infer": "finding types, keys and amounts",
    "wait": "waiting for another process that computes the same run",
    "load_ours": "loading our rows",
    "load_theirs": "loading their rows",
    "join_by_reference": "matching by reference",
    "block_candidate": "finding candidates",
    "score_candidate": "scoring candidates",
    "compared_candidate": "comparing candidates",
    "learned_level": "learning what evidence is worth",
    "pair_confidence": "pairing",
    "live_candidate": "pairing",
    "mutual_best": "pairing",
    "publish": "publishing",
    "report": "writing the report",
}


@contextmanager
def stepping() -> Iterator[Callable[[str], None]]:
    """Yield a callback that shows the step at hand: a spinner on a terminal, else a line every few seconds."""
    console = Console(stderr=True)
    started = time.monotonic()
    if console.is_terminal:
        with console.status("") as status:
            status.stop()

            def show(step: str) -> None:
                if time.monotonic() - started >= QUIET_S:
                    status.update(f"{WORDS.get(step, step.replace('_', ' '))} … {time.monotonic() - started:.0f} s")
                    status.start()

            yield show
        return
    last = started

    def tell(step: str) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_EVERY_S:
            last = time.monotonic()
            print(f"{last - started:6.1f} s  {WORDS.get(step, step.replace('_', ' '))}", file=sys.stderr)  # noqa: T201

    yield tell
