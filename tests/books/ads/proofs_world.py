"""Sealed days of the ads book, small: a world with two judged days and a key that signs."""

from __future__ import annotations

from datetime import date

from tests.books.ads.builders import World, days
from tieout.books.ads.expected import build_expected
from tieout.books.ads.matching import match_ads
from tieout.books.ads.proving import desk_of, issue_day, issue_month, keys_of
from tieout.books.ads.reconcile import reconcile_ads
from tieout.books.ads.tunables import Tunables
from tieout.core.actor import Actor

ACTOR = Actor("account:tests")
THIRD, FOURTH = date(2025, 11, 3), date(2025, 11, 4)
UNDERPAY = "win:2025-11-03T00:00:00Z..2025-11-04T00:00:00Z:underpay"
RECEIPTS = """request | at | cpm | winner
a | 11-03 10:00 | 1 | admob
b | 11-03 11:00 | 2 | unity
c | 11-03 12:00 | 2 | unity
d | 11-04 12:00 | 2 | unity"""
EVENTS = """request | at | usd | app | network
a | 11-03 10:00:01 | 0.5 | one | admob
b | 11-03 11:00:02 | 1.000001 | two | unity
c | 11-03 12:00:02 | 0.25 | two | unity
d | 11-04 12:00:02 | 0.125 | two | unity"""


class SealedWorld(World):
    """Two days of two networks, the first of them paid too little."""

    def judge_days(self) -> None:
        self.own(RECEIPTS, EVENTS)
        self.statement("day | app | paid | load\n11-03 | one | 0.4 | a1")
        self.statement(
            "day | app | paid | impressions | network | load\n11-03 | two | 0.75 | 2 | unity | u1", "unity/u1"
        )
        for period in (days("11-03", "11-04"), days("11-04", "11-05")):
            self.judge(period)

    def judge(self, period) -> None:
        build_expected(self.workspace, period)
        match_ads(self.workspace, period)
        reconcile_ads(self.workspace, period, Tunables(), as_of=date(2025, 11, 20))

    def restate(self) -> None:
        """Let admob pay the rest after all."""
        self.statement("day | app | paid | load\n11-03 | one | 0.5 | a1")
        self.judge(days("11-03", "11-04"))

    def rotate(self):
        return keys_of(self.workspace).rotate(ACTOR)

    @property
    def desk(self):
        return desk_of(self.workspace)

    def issue(self, day=THIRD, **options):
        return issue_day(self.workspace, day, **options)

    def issue_month(self, **options):
        return issue_month(self.workspace, "2025-11", **options)
