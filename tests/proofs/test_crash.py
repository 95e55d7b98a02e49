"""A writer is killed before, in the middle of and after each thing it asks of the file system; the log holds."""

import os
import signal
import tempfile
from pathlib import Path

import pytest

from tests.proofs.builders import ORIGIN, SIGNER, a_log, extend, files_of, leaf_hashes
from tieout.proofs import merkle, notes
from tieout.proofs.damage import find_damage
from tieout.proofs.tiles import TileLog

CALLS = ("open", "write", "mkdir", "fsync", "replace", "rename", "unlink", "rmdir", "close")
"""What the writer changes files with; `close` stands for the instant after a write."""


def die_at(call, *, is_torn):
    """Let this process be killed at its `call`-th change of a file; a torn write leaves half of its bytes."""
    seen = 0

    def counted(name, original):
        def change(*args, **kwargs):
            nonlocal seen
            if name == "open" and not args[1] & os.O_CREAT:
                return original(*args, **kwargs)
            seen += 1
            if seen == call:
                if is_torn and name == "write":
                    original(args[0], args[1][: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)

        return change

    for name in CALLS:
        setattr(os, name, counted(name, getattr(os, name)))


def append_and_die(folder, count, call, *, is_torn):
    """Append in a process that is killed at its `call`-th change; return whether it was still alive at the end."""
    child = os.fork()
    if child == 0:
        try:
            die_at(call, is_torn=is_torn)
            extend(TileLog.open(folder, ORIGIN), count)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return not os.WIFSIGNALED(status)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    """Wait for no disk: what a killed process wrote is there for the next, whether it was on the disk or not."""
    monkeypatch.setattr(os, "fsync", lambda _fd: None)


@pytest.mark.parametrize(
    ("before", "count", "is_torn", "step"),
    [(0, 3, True, 1), (250, 20, True, 1), (250, 20, False, 1), (65_500, 100, True, 11)],
)
def test_a_kill_at_any_change_leaves_the_log_before_or_after(tmp_path, before, count, is_torn, step):
    start = a_log(tmp_path / "start", before)
    wanted = files_of(a_log(tmp_path / "whole", before, count).folder) if before else None
    roots = {size: merkle.root_of(leaf_hashes(size)) for size in (before, before + count)}
    call, sizes, is_alive = 1 - step, [], False
    while not is_alive:
        call += step
        with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
            log_folder = Path(folder)
            _link(start.folder, log_folder)
            is_alive = append_and_die(log_folder, count, call, is_torn=is_torn)
            log = TileLog.open(log_folder, ORIGIN)
            assert log.root() == roots[log.size]
            assert find_damage(log) == []
            if log.size:
                notes.verify_note(log.note, [SIGNER.verifier_key])
            sizes.append(log.size)
            # What died is done again, over whatever it left, and gives what it would have given.
            if log.size == before:
                extend(log, count)
            assert log.root() == roots[before + count]
            if wanted:
                assert wanted.items() <= files_of(log_folder).items()
    assert call > 10
    assert sizes == sorted(sizes)
    assert set(sizes) == set(roots)


def test_other_leaves_after_a_died_writer_leave_nothing_of_its_own(tmp_path):
    log = a_log(tmp_path / "log", 250)
    for call in range(1, 12):
        append_and_die(log.folder, 30, call, is_torn=True)
    assert TileLog.open(log.folder, ORIGIN).size == 250
    with log.writing() as writer:
        writer.append(leaf_hashes(50, 9_000))
        writer.publish(notes.sign_checkpoint(ORIGIN, writer.size, writer.root(), SIGNER))
    assert log.root() == merkle.root_of(leaf_hashes(250) + leaf_hashes(50, 9_000))
    assert find_damage(log) == []


def _link(source, target):
    """Lay the files of a log into another folder without writing them again: within a checkpoint none is changed."""
    for path in source.rglob("*"):
        if path.is_file() and path.name != "writer.lock":
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.hardlink_to(path)
