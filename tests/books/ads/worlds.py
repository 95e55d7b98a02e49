"""Worlds of ads with known truth, made and taken in for a test."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tests.store.builders import NOW, a_store, settings_for
from tieout.books.ads.generate import World, WorldRequest, generate
from tieout.books.ads.ingest import IngestRequest, ingest
from tieout.books.ads.own import OwnRequest, register_own
from tieout.books.workspace import Workspace


def made(tmp_path: Path, name: str = "w", threads: int = 1, **told) -> World:
    settings = replace(settings_for(tmp_path / "data"), threads=threads)
    return generate(settings, WorldRequest(tmp_path / name, **told), tmp_path / f"{name}-scratch")


def taken_in(tmp_path: Path, world: World) -> Workspace:
    """Take in both sides of a world, and assert that every line of it can be read."""
    opened = Workspace(replace(settings_for(tmp_path / "data"), threads=1), a_store(tmp_path / "data"), lambda: NOW)
    for request in loads(world.out):
        assert ingest(opened, request).quarantined == 0
    for kind in ("events", "receipts"):
        paths = tuple(sorted((world.out / "own" / kind).glob("*.parquet")))
        register_own(opened, OwnRequest(kind, f"world-{kind}", paths))
    return opened


def loads(out: Path) -> list[IngestRequest]:
    """The loads of a world: those of a restated day one by one, the other files of a network as one."""
    told = json.loads((out / "loads.json").read_text())["loads"]
    restated = {(load["network"], load["load_id"]) for load in told if load["restates"]}
    requests, together = [], {}
    for load in told:
        if (load["network"], load["load_id"]) in restated:
            asked = (load["network"], load["load_id"], load["report_id"], (out / load["file"],))
            requests.append(IngestRequest(*asked, restates=load["restates"]))
        else:
            together.setdefault(load["network"], []).append(out / load["file"])
    return requests + [IngestRequest(network, "all", "daily", tuple(paths)) for network, paths in together.items()]
