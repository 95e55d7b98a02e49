"""The ads book of a tenant of a running API, small: one day with both sides, judged.

The day is judged once for all tests; each publishes the same facts in its own state, for running the stages takes a
second and publishing what they gave nearly nothing.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.books.ads.builders import World, days
from tieout.books.ads.expected import build_expected
from tieout.books.ads.matching import match_ads
from tieout.books.ads.pieces import BOOK
from tieout.books.ads.reconcile import reconcile_ads
from tieout.books.ads.stage import PIECES
from tieout.books.ads.tunables import Tunables
from tieout.books.workspace import Workspace
from tieout.store.folders import Folders
from tieout.store.opening import Store, open_store
from tieout.store.publish import begin_run, publish
from tieout.store.runs import RunInput, RunRequest, Window, measure_file

DAY = days("11-03", "11-04")
BASE = "win:2025-11-03T00:00:00Z..2025-11-04T00:00:00Z"
RECEIPTS = "request | at | cpm | winner\na | 11-03 10:00 | 1 | admob\nb | 11-03 11:00 | 2 | unity"
EVENTS = (
    "request | at | usd | app | network\n"
    "a | 11-03 10:00:01 | 0.5 | one | admob\n"
    "b | 11-03 11:00:02 | 1.000001 | two | unity"
)
STATEMENT = "day | app | paid | impressions\n11-03 | one | 0.4 | 1"
OTHER_STATEMENT = "day | app | paid | impressions | network | load\n11-03 | two | 0.75 | 1 | unity | u1"


class WorldOf(World):
    """A world in the state and folder of a platform, of one of its tenants."""

    def __init__(self, platform, tenant):
        open_store(platform.settings, now=platform.now()).close()
        store = Store(platform.of(tenant), Folders(platform.settings.data_dir), tenant)
        settings = replace(platform.settings, tenant=tenant, threads=1)
        self.workspace = Workspace(settings, store, platform.now)
        self.now = platform.now()

    def judge(self, period=DAY, as_of=date(2025, 11, 20), **tunables):
        build_expected(self.workspace, period)
        match_ads(self.workspace, period)
        return reconcile_ads(self.workspace, period, Tunables(**tunables), as_of=as_of)

    def publish_facts(self, leg, facts, inputs=()):
        """Publish the bytes of facts as the run of the day; return its id."""
        store = self.workspace.store
        asked = RunRequest(Window(BOOK, leg, DAY.window), inputs, "{}", "0", "0" * 64, {})
        with begin_run(store.runs, asked, now=self.now) as active:
            for name, content in facts.items():
                (active.out_dir / f"{name}.parquet").write_bytes(content)
            files = [measure_file(active.out_dir, f"{name}.parquet") for name in facts]
            return publish(store.runs, active, files, steps=[], summary={}, now=self.now).run.run_id


def a_judged_day(platform, tenant):
    """Make a day on which two networks paid too little."""
    world = WorldOf(platform, tenant)
    world.statement(STATEMENT)
    world.statement(OTHER_STATEMENT, "unity/u1")
    facts = _facts()
    matched = world.publish_facts("match", facts["match"])
    read = {"leg": "match", "window": DAY.window, "run": matched, "name": "unit", "sha256": "0" * 64}
    with world.workspace.store.folders.scratch("test") as scratch:
        (scratch / "pieces.jsonl").write_text(json.dumps(read) + "\n")
        kept = world.workspace.store.artifacts.receive(
            scratch / "pieces.jsonl", name=PIECES, received_by="ann", received_at=world.now
        )
    world.publish_facts("reconcile", facts["reconcile"], (RunInput(PIECES, PIECES, kept.artifact_id),))
    return world


@cache
def _facts():
    """Return what matching and judging the day give, by leg and name."""
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.own(RECEIPTS, EVENTS)
        world.statement(STATEMENT)
        world.statement(OTHER_STATEMENT, "unity/u1")
        build_expected(world.workspace, DAY)
        runs = (
            match_ads(world.workspace, DAY),
            reconcile_ads(world.workspace, DAY, Tunables(), as_of=date(2025, 11, 20)),
        )
        found = {}
        for done in runs:
            run = done.done.run
            places = [world.workspace.store.runs.file_path(run, file.name) for file in run.files]
            found[run.window.leg] = {place.stem: place.read_bytes() for place in places if place.suffix == ".parquet"}
        world.close()
        return found
