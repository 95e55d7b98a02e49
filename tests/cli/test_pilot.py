"""`tieout pilot ads`: each gate at its bound, and nothing passed that nobody knows."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from tests.books.ads.builders import World, days
from tieout.books.ads import pilot
from tieout.books.ads.expected import build_expected
from tieout.books.ads.matching import match_ads
from tieout.books.ads.proving import issue_day, keys_of
from tieout.books.ads.reconcile import reconcile_ads
from tieout.books.ads.tunables import Tunables
from tieout.cli.app import build
from tieout.core.actor import Actor
from tieout.core.errors import TieoutError

DAY = ("--from", "2025-11-03", "--to", "2025-11-04")
RECEIPTS = "request | at | cpm | winner\na | 11-03 10:00 | 1 | admob"
THIRD = days("11-03", "11-04")
EVENTS = "request | at | usd\na | 11-03 10:00 | 100"


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def judged(world):
    """Publish a day on which the network paid so much of 100 USD, and judge it."""

    def do(paid, period=THIRD):
        world.own(RECEIPTS, EVENTS)
        world.statement(f"day | paid\n11-03 | {paid}")
        build_expected(world.workspace, period)
        match_ads(world.workspace, period)
        reconcile_ads(world.workspace, period, Tunables())

    return do


@pytest.fixture
def tieout(world):
    app = build(lambda: world.workspace)

    def invoke(*words):
        result = CliRunner().invoke(app, ["pilot", "ads", *words], env={"COLUMNS": "200"})
        if isinstance(result.exception, TieoutError):
            raise result.exception
        return result.exit_code, json.loads(result.stdout) if "--json" in words else result.output

    return invoke


def outcomes(told):
    return {gate["gate"]: gate["outcome"] for gate in told["gates"]}


def test_without_proofs_a_pilot_is_not_passed_however_good_the_figures(tieout, judged):
    judged("100")
    code, told = tieout(*DAY, "--json")
    assert (code, told["passed"]) == (10, False)
    assert outcomes(told) == {
        "coverage": "passed",
        "unexplained_variance": "passed",
        "proofs": "not_computable",
    }
    assert [gate["percent"] for gate in told["gates"]] == ["100.000000", "0.000000", None]
    code, said = tieout(*DAY)
    assert code == 10
    assert "2025-11-03 is not sealed" in said
    assert "not computable" in said


def test_with_proofs_it_is_until_something_else_is_published(tieout, judged, world):
    judged("100")
    keys_of(world.workspace).rotate(Actor("account:tests"))
    issue_day(world.workspace, date(2025, 11, 3))
    code, told = tieout(*DAY, "--json")
    assert (code, told["passed"]) == (0, True)
    world.statement("day | paid | load\n11-03 | 0.01 | l2", "admob/l2")
    code, told = tieout(*DAY, "--json")
    assert (code, outcomes(told)["proofs"]) == (10, "failed")
    assert "is published and was not sealed" in told["gates"][2]["reason"]


@pytest.mark.parametrize(
    ("coverage", "variance", "expected"),
    [
        ("90", "0.5", {"coverage": "passed", "unexplained_variance": "passed"}),
        ("89.999999", "0.500001", {"coverage": "failed", "unexplained_variance": "failed"}),
    ],
)
def test_the_bounds_themselves_are_good_enough(tieout, judged, monkeypatch, coverage, variance, expected):
    judged("100")
    real = pilot.overview_of
    told = {"coverage_percent": Decimal(coverage), "variance_percent": Decimal(variance)}
    monkeypatch.setattr(pilot, "overview_of", lambda *asked: replace(real(*asked), **told))
    assert outcomes(tieout(*DAY, "--json")[1]) == expected | {"proofs": "not_computable"}


def test_days_that_nobody_judged_are_not_passed(tieout, judged, world):
    code, said = tieout(*DAY)
    assert code == 10
    assert "1 of 1 days are not reconciled yet, the first 2025-11-03" in said
    judged("100")
    _, told = tieout("--from", "2025-11-02", "--to", "2025-11-05", "--json")
    assert outcomes(told)["coverage"] == "not_computable"
    assert told["gates"][0]["reason"] == "2 of 3 days are not reconciled yet, the first 2025-11-02"
    assert outcomes(tieout("--json")[1])["coverage"] == "not_computable", "the last seven days"
    assert tieout("--from", "2025-11-03", "--to", "2025-11-03", "--json")[1]["gates"][0]["reason"] == (
        "the window holds no day"
    )


def test_a_window_as_operators_write_it_is_about_the_whole_day(tieout, judged):
    judged("100", pilot.parse_period("2025-11-03T00:00:00Z", "2025-11-03T23:59:59Z"))
    assert outcomes(tieout(*DAY, "--json")[1])["coverage"] == "passed"


def test_a_day_on_which_nothing_is_expected_says_nothing(tieout, world):
    period = days("11-03", "11-04")
    build_expected(world.workspace, period)
    match_ads(world.workspace, period)
    reconcile_ads(world.workspace, period, Tunables())
    _, told = tieout(*DAY, "--json")
    assert told["gates"][0]["reason"] == "nothing is expected on these days"


def test_a_window_that_is_none_is_refused(tieout):
    with pytest.raises(TieoutError, match="from must be <= to"):
        tieout("--from", "2025-11-04", "--to", "2025-11-03")
    with pytest.raises(TieoutError, match="Missing required args"):
        tieout("--from", "2025-11-04")
