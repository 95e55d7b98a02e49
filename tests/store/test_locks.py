import re
from pathlib import Path
from threading import Event, Thread

from tieout.store.locks import lock, try_lock


def test_a_lock_is_held_by_one_until_it_is_freed(tmp_path):
    path = tmp_path / "lock"
    with lock(path):
        assert try_lock(path) is None
    held = try_lock(path)
    assert held is not None
    held.close()


def test_closing_twice_is_harmless(tmp_path):
    held = lock(tmp_path / "lock")
    held.close()
    held.close(remove=True)
    assert (tmp_path / "lock").exists()


def test_shared_locks_go_together_and_keep_an_exclusive_one_out(tmp_path):
    path = tmp_path / "lock"
    with lock(path, shared=True):
        with lock(path, shared=True):
            assert try_lock(path) is None
        assert try_lock(path) is None


def test_who_waits_for_a_lock_that_its_holder_removes_still_gets_one_that_excludes_others(tmp_path):
    path = tmp_path / "lock"
    held, waits, taken = lock(path), Event(), []
    waiting = Thread(target=lambda: taken.append(lock(path, on_wait=waits.set)))
    waiting.start()
    assert waits.wait(timeout=60)
    inode = path.stat().st_ino
    while not re.search(rf"-> FLOCK .*:{inode} ", Path("/proc/locks").read_text()):  # until it waits in the kernel
        assert waiting.is_alive()
    held.close(remove=True)
    waiting.join(timeout=60)
    assert try_lock(path) is None
    taken[0].close(remove=True)
    assert not path.exists()
