import hashlib
import os
import socket
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.builders import DIGEST, NOW, a_file, a_store
from tieout.store.artifacts import (
    ArtifactDamaged,
    ArtifactRemoved,
    ArtifactUnknown,
    FileChangedWhileRead,
    FileMissing,
    FileTooLarge,
    FileUnreadable,
    NotAFile,
)
from tieout.store.digest import CHUNK_BYTES

ROOT = Path(__file__).parents[2]
CAN_MOUNT = subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode == 0
LIMITS = ["file_size", "tmpfs"] if CAN_MOUNT else ["file_size"]


def receive(store, path, **options):
    return store.artifacts.receive(path, received_by="ann", received_at=NOW, **options)


def stored(store):
    return sorted(path.name for path in store.folders.artifacts.glob("??/*"))


def assert_nothing_stored(store):
    assert stored(store) == []
    assert list(store.folders.incoming.iterdir()) == []
    assert store.artifacts.list_receipts() == ()


@pytest.mark.parametrize("byte_count", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7])
def test_a_file_is_kept_byte_for_byte_under_the_digest_of_its_content(store, tmp_path, byte_count):
    content = os.urandom(byte_count)
    kept = receive(store, a_file(tmp_path, content))
    assert kept.artifact_id == hashlib.sha256(content).hexdigest()
    assert kept.path == store.folders.data_dir / "artifacts" / kept.artifact_id[:2] / kept.artifact_id
    assert kept.path.read_bytes() == content
    assert (kept.name, kept.byte_count) == ("ours.csv", byte_count)


def test_what_is_kept_is_read_only(store, tmp_path):
    kept = receive(store, a_file(tmp_path))
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o444


def test_changing_the_file_afterwards_does_not_change_what_is_kept(store, tmp_path):
    path = a_file(tmp_path, "before")
    kept = receive(store, path)
    path.write_text("after!")
    assert store.artifacts.verify(kept.artifact_id).path.read_text() == "before"


def test_the_same_content_is_kept_once_and_each_arrival_has_its_receipt(store, tmp_path):
    first = receive(store, a_file(tmp_path, "same", "a.csv"))
    inode = first.path.stat().st_ino
    second = store.artifacts.receive(
        a_file(tmp_path, "same", "b.csv"), name="Statement 7", received_by="bob", received_at=NOW + timedelta(hours=1)
    )
    assert second.artifact_id == first.artifact_id
    assert stored(store) == [first.artifact_id]
    assert first.path.stat().st_ino == inode
    receipts = store.artifacts.receipts_of(first.artifact_id)
    assert [(one.name, one.byte_count, one.received_at, one.received_by) for one in receipts] == [
        ("a.csv", 4, NOW, "ann"),
        ("Statement 7", 4, NOW + timedelta(hours=1), "bob"),
    ]
    assert receipts[0].seq < receipts[1].seq


def test_another_content_of_the_same_size_is_kept_too(store, tmp_path):
    receive(store, a_file(tmp_path, "aaaa"))
    kept = receive(store, a_file(tmp_path, "bbbb"))
    assert kept.path.read_text() == "bbbb"
    assert len(stored(store)) == 2


def test_content_that_vanished_from_the_disk_is_stored_again_when_it_comes_again(store, tmp_path):
    path = a_file(tmp_path)
    kept = receive(store, path)
    kept.path.unlink()
    with pytest.raises(ArtifactRemoved):
        store.artifacts.artifact_path(kept.artifact_id)
    receive(store, path)
    assert store.artifacts.verify(kept.artifact_id) == kept


def test_many_threads_may_receive_at_once(store, tmp_path):
    paths = [a_file(tmp_path, str(number % 5) * CHUNK_BYTES * 2, f"{number}.csv") for number in range(20)]
    with ThreadPoolExecutor(8) as threads:
        kept = list(threads.map(lambda path: receive(store, path), paths))
    assert [one.path.read_bytes() == path.read_bytes() for one, path in zip(kept, paths, strict=True)] == [True] * 20
    assert len(stored(store)) == 5
    assert len(store.artifacts.list_receipts()) == 20


@pytest.mark.parametrize("name", [b"caf\xe9.csv", "Ümläut €.csv".encode(), b"new\nline.csv"])
def test_any_name_that_a_file_can_have_is_kept_readable(store, tmp_path, name):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    path.write_text("x")
    kept = receive(store, path)
    assert kept.name == name.decode("utf-8", "replace")
    assert store.artifacts.get(kept.artifact_id).name == kept.name


def test_progress_ends_at_the_size_of_the_file(store, tmp_path):
    seen = []
    receive(store, a_file(tmp_path, b"x" * (2 * CHUNK_BYTES + 5)), on_progress=seen.append)
    assert seen == [CHUNK_BYTES, 2 * CHUNK_BYTES, 2 * CHUNK_BYTES + 5]


def test_a_symbolic_link_gives_what_it_points_to(store, tmp_path):
    (tmp_path / "link.csv").symlink_to(a_file(tmp_path, "content"))
    kept = receive(store, tmp_path / "link.csv")
    assert kept.name == "link.csv"
    assert kept.path.read_text() == "content"
    assert not kept.path.is_symlink()


def test_a_file_at_the_limit_is_taken_and_one_above_is_refused_before_anything_is_stored(store, tmp_path):
    with pytest.raises(FileTooLarge, match="11 bytes; at most 10"):
        receive(store, a_file(tmp_path, "x" * 11), max_bytes=10)
    assert_nothing_stored(store)
    assert receive(store, a_file(tmp_path, "x" * 10), max_bytes=10).byte_count == 10


def test_a_missing_file_is_named(store, tmp_path):
    with pytest.raises(FileMissing, match="nowhere"):
        receive(store, tmp_path / "nowhere.csv")
    with pytest.raises(FileMissing):
        receive(store, a_file(tmp_path) / "below.csv")
    with pytest.raises(FileMissing):
        receive(store, Path("a\0b"))
    assert_nothing_stored(store)


def test_a_folder_a_pipe_a_device_and_a_socket_are_no_files(store, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "socket"))
    for path, kind in [
        (tmp_path, "folder"),
        (tmp_path / "pipe", "pipe"),
        (Path("/dev/zero"), "device"),
        (tmp_path / "socket", "socket"),
    ]:
        with pytest.raises(NotAFile, match=kind):
            receive(store, path)
    listening.close()
    assert_nothing_stored(store)


def test_a_file_that_cannot_be_read_says_why(store, tmp_path):
    """A name that is too long stands for any refusal of the system, for root may read everything."""
    with pytest.raises(FileUnreadable, match="too long"):
        receive(store, tmp_path / ("x" * 300))
    assert_nothing_stored(store)


def grow(path):
    with path.open("ab") as file:
        file.write(b"more")


def cut(path):
    os.truncate(path, CHUNK_BYTES)


def rewrite(path):
    status = path.stat()
    path.write_bytes(b"y" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def replace(path):
    status = path.stat()
    other = a_file(path.parent, b"z" * status.st_size, "other.csv")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.rename(path)


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize("change", [grow, cut, rewrite, replace, Path.unlink])
def test_a_file_that_changes_while_it_is_read_is_refused_and_not_stored(store, tmp_path, change, is_known):
    path = a_file(tmp_path, b"x" * 3 * CHUNK_BYTES)
    if is_known:
        receive(store, a_file(tmp_path, b"x" * 3 * CHUNK_BYTES, "earlier.csv"))
    before = stored(store)

    def on_progress(byte_count):
        if byte_count == CHUNK_BYTES:
            change(path)

    with pytest.raises(FileChangedWhileRead, match=r"ours\.csv changed"):
        receive(store, path, on_progress=on_progress)
    assert stored(store) == before
    assert list(store.folders.incoming.iterdir()) == []
    assert len(store.artifacts.list_receipts()) == len(before)


def test_a_file_that_never_ends_is_not_followed(store, tmp_path):
    path, seen = a_file(tmp_path, b"x" * CHUNK_BYTES), []

    def on_progress(byte_count):
        seen.append(byte_count)
        assert len(seen) < 3
        with path.open("ab") as file:
            file.write(b"x" * CHUNK_BYTES)

    with pytest.raises(FileChangedWhileRead):
        receive(store, path, on_progress=on_progress)
    assert_nothing_stored(store)


def test_an_interruption_leaves_nothing_behind(store, tmp_path):
    def interrupt(_byte_count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        receive(store, a_file(tmp_path), on_progress=interrupt)
    assert_nothing_stored(store)


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("receive", ["storage_full", "[] 0", "819200"]),
        ("publish", ["state_unavailable", "True ()", "published"]),
    ],
)
def test_a_full_disk_is_said_so_and_changes_nothing_and_with_room_it_goes_on(tmp_path, what, said, limit):
    command = [sys.executable, "-m", "tests.store.full_disk", str(tmp_path / "data"), what, limit]
    if limit == "tmpfs":
        command = ["unshare", "-rm", *command]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.stdout.splitlines() == said, answer.stderr


def test_damage_to_what_is_kept_is_found(store, tmp_path):
    kept = receive(store, a_file(tmp_path, "content"))
    assert store.artifacts.verify(kept.artifact_id) == kept
    kept.path.chmod(0o600)
    kept.path.write_text("c0ntent")
    with pytest.raises(ArtifactDamaged, match=kept.artifact_id):
        store.artifacts.verify(kept.artifact_id)


def test_a_digest_that_was_never_received_is_unknown(store):
    with pytest.raises(ArtifactUnknown, match=DIGEST):
        store.artifacts.get(DIGEST)


def test_receipts_come_in_pages_latest_first(store, tmp_path):
    for number in range(5):
        receive(store, a_file(tmp_path, str(number), f"{number}.csv"))
    first = store.artifacts.list_receipts(limit=2)
    second = store.artifacts.list_receipts(limit=2, before=first[-1].seq)
    third = store.artifacts.list_receipts(limit=2, before=second[-1].seq)
    assert [one.name for page in (first, second, third) for one in page] == [
        f"{number}.csv" for number in (4, 3, 2, 1, 0)
    ]


def test_two_tenants_share_the_bytes_and_nothing_else(store, tmp_path):
    ann = receive(store, a_file(tmp_path))
    with a_store(tmp_path / "data", tenant="other") as other:
        with pytest.raises(ArtifactUnknown):
            other.artifacts.get(ann.artifact_id)
        bob = receive(other, a_file(tmp_path))
        assert bob.path == ann.path
        assert len(other.artifacts.receipts_of(ann.artifact_id)) == 1
    assert len(store.artifacts.receipts_of(ann.artifact_id)) == 1


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=st.lists(st.binary(max_size=3), max_size=6))
def test_every_content_is_kept_exactly_once_whatever_comes_in_whatever_order(store, tmp_path, contents):
    before = len(store.artifacts.list_receipts(limit=10_000))
    for content in contents:
        kept = receive(store, a_file(tmp_path, content))
        assert kept.path.read_bytes() == content
    assert len(store.artifacts.list_receipts(limit=10_000)) == before + len(contents)
    assert len(stored(store)) == len(set(stored(store)))


def test_a_content_that_comes_twice_at_once_is_placed_once(store, tmp_path):
    draft = tmp_path / "given.csv"
    draft.write_text("id,amount\n1,5\n")
    barrier = threading.Barrier(2)

    def receive(_side: int) -> tuple[str, int]:
        barrier.wait()
        kept = store.artifacts.receive(draft, received_by="ann", received_at=NOW)
        return kept.artifact_id, kept.path.stat().st_ino

    for size in range(20):
        draft.write_text("id,amount\n" + "1,5\n" * (size + 1))
        with ThreadPoolExecutor(2) as pool:
            assert len(set(pool.map(receive, range(2)))) == 1
