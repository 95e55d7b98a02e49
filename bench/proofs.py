"""Sealing side by side, proofs of a large log, and what a log takes on disk.

A million records are hashed as leaves of a Merkle tree and its root is made: by us in memory and on disk (tiles
written and waited for, the checkpoint signed), by pymerkle in memory, and by a bare loop over hashlib that hashes as
many leaves and nodes. All must find the same root. Then leaves of a log of many more are proven, each after opening the
log anew. Run it as `python -m bench.proofs` from the repository root; 100 million leaves need 3.3 GB below bench/.data.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench import measure, peers
from bench.sealed import ORIGIN, PRIVATE_KEY
from tieout.proofs import notes
from tieout.proofs.tiles import TileLog

HERE = Path(__file__).parent
DATA = HERE / ".data"
RESULTS = HERE / "results-proofs.json"
LIMITS = measure.Limits(timeout_s=900, memory_mb=8000)
MEMORY, DISK, PEER, BARE = "tieout, in memory", "tieout, on disk", "pymerkle, in memory", "bare hashlib"
_PIECE = 1 << 20


def seal(name: str, count: int, length: int, folder: Path) -> measure.Sample:
    """Let one contender seal `count` records of `length` bytes."""
    scripts = {MEMORY: "seal_tieout.py", DISK: "seal_tieout.py", PEER: "seal_pymerkle.py", BARE: "seal_hashlib.py"}
    python = peers.python_of("pymerkle") if name == PEER else sys.executable
    log = folder / "sealed"
    shutil.rmtree(log, ignore_errors=True)
    place = {MEMORY: ["-"], DISK: [str(log)]}.get(name, [])
    command = [python, str(HERE / "contenders" / scripts[name]), str(count), str(length), *place]
    paths = [HERE.parent] if name == PEER else [HERE.parent / "src", HERE.parent]
    sample = measure.run(command, LIMITS, folder / "log", env={"PYTHONPATH": ":".join(map(str, paths))})
    if sample.seconds is None:
        raise SystemExit(f"{name}: {sample.stopped}\n{measure.tail(folder / 'log')}")
    return sample


def compare(count: int, length: int, rounds: int) -> dict[str, dict]:
    """Return the seconds of each contender, taking turns, once all have found the same root."""
    peers.make("pymerkle")
    names, roots = [MEMORY, DISK, PEER, BARE], set()
    found: dict[str, dict] = {name: {"seconds": [], "processor_s": [], "peak_mb": []} for name in names}
    DATA.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=DATA) as folder:
        for turn in range(rounds):
            for name in names[turn % 4 :] + names[: turn % 4]:
                sample = seal(name, count, length, Path(folder))
                found[name]["seconds"].append(sample.seconds)
                found[name]["processor_s"].append(sample.found["cpu_us"] / 1e6)
                found[name]["peak_mb"].append(sample.peak_mb)
                roots.add(sample.found["root"])
                if name == DISK:
                    used, taken = disk_of(Path(folder) / "sealed")
                    found[name] |= {"bytes_per_leaf": used / count, "disk_bytes_per_leaf": taken / count}
                print(f"{name}: {sample.seconds:.2f} s", flush=True)
        assert len(roots) == 1, roots
    return found


def disk_of(folder: Path) -> tuple[int, int]:
    """Return the bytes in the files of a log, and the bytes that the disk gives to them and their folders."""
    status = [path.lstat() for path in folder.rglob("*")]
    used = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
    return used, sum(each.st_blocks * 512 for each in status)


def large_log(count: int) -> Path:
    """Return a log of `count` random leaves, made where it is not there."""
    folder = DATA / f"log-{count}"
    log = TileLog.open(folder, ORIGIN)
    began, some = time.perf_counter(), random.Random(0)
    with log.writing() as writer:
        while writer.size < count:
            writer.append(some.randbytes(32 * min(_PIECE, count - writer.size)))
        if writer.published < count:
            signer = notes.Signer(ORIGIN, PRIVATE_KEY)
            writer.publish(notes.sign_checkpoint(ORIGIN, writer.size, writer.root(), signer))
            print(f"a log of {count:,} leaves made in {time.perf_counter() - began:,.0f} s", flush=True)
    return folder


def prove(count: int, proofs: int) -> dict[str, dict]:
    """Return how long proofs of a log of `count` leaves take, with its files in memory and without."""
    folder, found = large_log(count), {}
    for cache in ("warm", "cold"):
        script = str(HERE / "contenders" / "prove_tieout.py")
        env = {"PYTHONPATH": f"{HERE.parent / 'src'}:{HERE.parent}"}
        sample = measure.run([sys.executable, script, str(folder), str(proofs), cache], LIMITS, DATA / "log", env=env)
        if sample.seconds is None:
            raise SystemExit(f"{cache}: {sample.stopped}\n{measure.tail(DATA / 'log')}")
        found[cache] = {"leaves": count, "peak_mb": sample.peak_mb, **sample.found}
    used, taken = disk_of(folder)
    found["disk"] = {"bytes_per_leaf": used / count, "disk_bytes_per_leaf": taken / count}
    return found


def tables(found: dict[str, dict]) -> str:
    """Return the results as tables."""
    sealed, proven = found["sealed"], found["proven"]
    median = {name: statistics.median(each["seconds"]) for name, each in sealed.items()}
    lines = [
        "| contender | s, median | min to max | faster than pymerkle × | bare hashlib × | processor s | peak MiB |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, each in sealed.items():
        seconds = each["seconds"]
        lines.append(
            f"| {name} | {median[name]:.2f} | {min(seconds):.2f} to {max(seconds):.2f} "
            f"| {median[PEER] / median[name]:.1f} | {median[name] / median[BARE]:.2f} "
            f"| {statistics.median(each['processor_s']):.2f} | {max(each['peak_mb']):,} |"
        )
    lines += [
        "",
        "| proof of one leaf of | files | open ms | proof ms, median | 99 of 100 below, ms |",
        "|---:|---|---:|---:|---:|",
    ]
    for cache in ("warm", "cold"):
        each = proven[cache]
        times = " | ".join(f"{each[name] / 1000:.2f}" for name in ("open_us", "proof_us", "slow_proof_us"))
        lines.append(f"| {each['leaves']:,} | {cache} | {times} |")
    disk = proven["disk"]
    used, taken = disk["bytes_per_leaf"], disk["disk_bytes_per_leaf"]
    lines += ["", f"On disk a leaf takes {used:.2f} bytes of files, {taken:.2f} with blocks and folders."]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--bytes", type=int, default=200, help="of a record")
    parser.add_argument("--leaves", type=int, default=100_000_000, help="of the log whose leaves are proven")
    parser.add_argument("--proofs", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--publish", action="store_true", help=f"write {RESULTS.name}")
    chosen = parser.parse_args()
    found = {
        "sealed": compare(chosen.records, chosen.bytes, chosen.rounds),
        "proven": prove(chosen.leaves, chosen.proofs),
    }
    print(tables(found))
    print(f"load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    if chosen.publish:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
