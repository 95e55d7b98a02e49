"""The ads book of a tenant of a running API, small: one day with both sides, judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from tests.books.ads.builders import World, days
from tieout.books.ads.expected import build_expected
from tieout.books.ads.matching import match_ads
from tieout.books.ads.reconcile import reconcile_ads
from tieout.books.ads.tunables import Tunables
from tieout.books.compare.actions import Workspace
from tieout.store.folders import Folders
from tieout.store.opening import Store, open_store

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
        store = Store(platform.of(tenant), Folders(platform.settings.data_dir), tenant)
        settings = replace(platform.settings, tenant=tenant, threads=1)
        self.workspace = Workspace(settings, store, platform.now)
        self.now = platform.now()

    def judge(self, period=DAY, as_of=date(2025, 11, 20), **tunables):
        build_expected(self.workspace, period)
        match_ads(self.workspace, period)
        return reconcile_ads(self.workspace, period, Tunables(**tunables), as_of=as_of)


def a_judged_day(platform, tenant):
    """Make a day on which two networks paid too little."""
    open_store(platform.settings, now=platform.now()).close()
    world = WorldOf(platform, tenant)
    world.own(RECEIPTS, EVENTS)
    world.statement(STATEMENT)
    world.statement(OTHER_STATEMENT, "unity/u1")
    world.judge()
    return world
