import json

import pytest

from bench import proofs
from bench.contenders import prove_tieout, seal_hashlib, seal_tieout


@pytest.fixture
def told(capsys):
    """What a contender reported as its last line."""
    return lambda: json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.parametrize("count", [1, 2, 1_000, 1_023])
def test_contenders_find_the_same_root(tmp_path, told, count):
    roots = set()
    for main, more in (
        (seal_hashlib.main, ()),
        (seal_tieout.main, ("-",)),
        (seal_tieout.main, (str(tmp_path / "log"),)),
    ):
        main(count, 64, *more)
        roots.add(told()["root"])
    assert len(roots) == 1


@pytest.mark.parametrize("cache", ["warm", "cold"])
def test_proofs_of_a_log_are_timed_and_hold(tmp_path, monkeypatch, told, cache):
    monkeypatch.setattr(proofs, "DATA", tmp_path)
    folder = proofs.large_log(700)
    assert proofs.large_log(700) == folder  # it is there, and is not made again
    prove_tieout.main(folder, 20, cache)
    assert told()["proof_us"] > 0
    used, taken = proofs.disk_of(folder)
    assert 700 * 32 < used <= taken


def test_the_table_says_how_much_faster_than_what():
    sealed = {
        name: {"seconds": [seconds], "processor_s": [seconds], "peak_mb": [10]}
        for name, seconds in ((proofs.MEMORY, 1.0), (proofs.DISK, 2.0), (proofs.PEER, 20.0), (proofs.BARE, 1.6))
    }
    proof = {"leaves": 700, "open_us": 40, "proof_us": 500, "slow_proof_us": 900}
    disk = {"bytes_per_leaf": 32.1, "disk_bytes_per_leaf": 33.0}
    table = proofs.tables({"sealed": sealed, "proven": {"warm": proof, "cold": proof, "disk": disk}})
    assert "| tieout, in memory | 1.00 | 1.00 to 1.00 | 20.0 | 0.62 | 1.00 | 10 |" in table
    assert "| 700 | warm | 0.04 | 0.50 | 0.90 |" in table
    assert "32.10 bytes of files, 33.00 with" in table
