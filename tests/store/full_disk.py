# ruff: noqa: T201 - what it prints is what the test reads
"""A process whose disk is full: receives a file, or publishes a run, says what it was told, and then has room again.

Arguments: data folder, what ("receive" or "publish"), limit ("file_size" or "tmpfs"). With "tmpfs" it must run as
root of a mount namespace of its own.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.store.builders import MARCH, NOW, a_file, a_published_run, a_request, a_store, contents_of, written
from tieout.core.errors import TieoutError
from tieout.store.opening import Store
from tieout.store.publish import begin_run, publish

KIB = 1024


@contextmanager
def no_room(data_dir: Path, limit: str) -> Iterator[None]:
    if limit == "file_size":
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (KIB, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        return
    filler = data_dir / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * KIB)
        except OSError:
            pass
    try:
        yield
    finally:
        filler.unlink()


def receive(store: Store, limit: str) -> None:
    big = a_file(store.folders.data_dir.parent, b"x" * 800 * KIB, "big.csv")
    try:
        with no_room(store.folders.data_dir, limit):
            store.artifacts.receive(big, received_by="ann", received_at=NOW)
    except TieoutError as error:
        print(error.code)
    print([path.name for path in store.folders.incoming.iterdir()], len(store.artifacts.list_receipts()))
    print(store.artifacts.receive(big, received_by="ann", received_at=NOW).path.stat().st_size)


def publish_a_run(store: Store, limit: str) -> None:
    former = a_published_run(store, a_request(store)).run
    request = a_request(store, config="a = 2")
    try:
        with begin_run(store.runs, request, now=NOW) as active:
            files = written(active, contents_of(request))
            with no_room(store.folders.data_dir, limit):
                publish(store.runs, active, files, steps=[], summary={"long": "x" * 800 * KIB}, now=NOW)
    except TieoutError as error:
        print(error.code)
    current = store.runs.current_run(MARCH)
    print(current == former, current is not None and store.runs.damaged_files(current))
    print(a_published_run(store, request).outcome)


def main() -> None:
    data_dir, what, limit = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    data_dir.mkdir()
    if limit == "tmpfs":
        subprocess.check_call(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(data_dir)])
    with a_store(data_dir) as store:
        {"receive": receive, "publish": publish_a_run}[what](store, limit)


if __name__ == "__main__":
    main()
