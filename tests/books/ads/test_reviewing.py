"""Decisions about pairs of the review queue: what the next matching makes of them, and who may make them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from itertools import count

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from tests.books.ads.builders import World, days
from tieout.books.ads.decisions import (
    NothingDecided,
    PairTaken,
    SecondPersonNeeded,
    Tools,
    list_decisions,
    proposed,
    rulings_about,
    standing,
)
from tieout.books.ads.expected import build_expected
from tieout.books.ads.matching import match_ads, match_rules
from tieout.books.ads.pieces import BOOK
from tieout.books.ads.replaying import replay_ads
from tieout.books.ads.reviewing import PairUnknown, decide_pairs, list_waiting
from tieout.cli.app import build
from tieout.cli.review_app import review
from tieout.core.actor import Actor
from tieout.core.errors import TieoutError
from tieout.store.publish import begin_run, publish
from tieout.store.runs import RunRequest, Window, measure_file

DAY = days("11-03", "11-04")
NUMBERS = count(1)
ANN, BEN = Actor("account:ann"), Actor("account:ben")
RECEIPTS = "request | at | cpm | winner\na | 11-03 12:05 | 1 | admob\nb | 11-03 12:05 | 1 | admob"
EVENTS = "request | at | usd\na | 11-03 12:05:01 | 1\nb | 11-03 12:05:01 | 1"
LINES = "day | paid | request\n11-03 | 1 | unknown\n11-03 | 0.99 | unknown-too"


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.own(RECEIPTS, EVENTS)
    made.statement(LINES)
    yield made
    made.close()


def match(world, auto="0.80", least="0.50"):
    build_expected(world.workspace, DAY)
    done = match_ads(world.workspace, DAY, match_rules(auto, least, keeps_review=True))
    found = {row["row_no"]: (row["unit_id"], row["keys_used"]) for row in world.facts(done.done, "match")}
    return done, found


def queue(world):
    """Publish two pairs that wait, as a matching of the day leaves them."""
    many = {
        "unit_id": ["request:a", "request:b"],
        "network": ["admob"] * 2,
        "load_id": ["l1"] * 2,
        "artifact_id": ["ab" * 32] * 2,
        "row_no": pa.array([1, 2], pa.int64()),
        "event_date": pa.array([date(2025, 11, 3)] * 2, pa.date32()),
        "paid_micros": pa.array([1_000_000, 990_000], pa.int64()),
        "currency": ["USD"] * 2,
        "score_e9": pa.array([500_000_000, 499_000_000], pa.int64()),
        "reasons": ["{}"] * 2,
    }
    store = world.workspace.store
    asked = RunRequest(Window(BOOK, "match", DAY.window), (), "{}", "0", "0" * 64, {})
    with begin_run(store.runs, asked, now=world.now) as active:
        pq.write_table(pa.table(many), active.out_dir / "match_review.parquet")
        files = [measure_file(active.out_dir, "match_review.parquet")]
        publish(store.runs, active, files, steps=[], summary={}, now=world.now)


def tools(actor=ANN, *, two=False, now=None):
    return Tools(actor, two, now or (lambda: World.now), lambda size: next(NUMBERS).to_bytes(size, "big"))


def decide(world, ruling, *pairs, actor=ANN, two=False):
    return decide_pairs(world.workspace.store, pairs, ruling, tools(actor, two=two))


def waiting(world):
    return {one.pair.row_no: one for one in list_waiting(world.workspace.store)}


def test_a_pair_that_was_accepted_is_matched_for_sure_the_next_time(world):
    done, found = match(world, least="0.40")
    assert (done.review, found) == (2, {})
    first = waiting(world)[1]
    assert (first.pair.unit_id, first.lines, str(first.confidence)) == ("request:a", 1, "0.500000000")
    [stored] = decide(world, "accepted", first.pair.pair_id)
    assert (stored.is_final, stored.decided_by) == (True, "account:ann")
    assert waiting(world)[1].decision == stored
    done, found = match(world, least="0.40")
    assert found == {1: ("request:a", "reviewed")}
    assert (done.auto, done.review, done.done.summary["by_pass"]) == (1, 1, {"reviewed": 1, "scored": 1})
    [kept] = world.facts(done.done, "match")
    assert kept["link_confidence"] == 1
    # It holds with a threshold that the pair would not reach.
    assert match(world, auto="0.9", least="0.9")[1] == {1: ("request:a", "reviewed")}


def test_a_pair_that_was_rejected_is_none_and_another_takes_its_place(world):
    match(world, least="0.40")
    decide(world, "rejected", waiting(world)[1].pair.pair_id)
    match(world, least="0.40")
    assert {row: one.pair.unit_id for row, one in waiting(world).items()} == {1: "request:b", 2: "request:a"}


def test_undone_it_is_open_again_and_the_matching_the_one_of_before(world):
    before, _ = match(world, least="0.40")
    pair = waiting(world)[1].pair.pair_id
    decide(world, "accepted", pair)
    decided, _ = match(world, least="0.40")
    assert decided.done.run.run_id != before.done.run.run_id
    decide(world, "undone", pair)
    again, _ = match(world, least="0.40")
    assert again.done.run.run_id == before.done.run.run_id
    assert [one.ruling for one in list_decisions(world.workspace.store)] == ["undone", "accepted"]
    with pytest.raises(NothingDecided):
        decide(world, "undone", pair)


def test_a_matching_with_decisions_can_be_replayed(world):
    match(world, least="0.40")
    decide(world, "accepted", waiting(world)[1].pair.pair_id)
    done, _ = match(world, least="0.40")
    assert replay_ads(world.workspace, done.done.run).differences == ()


def test_a_sum_is_decided_about_as_a_whole(world):
    world.own(
        "request | at | cpm | winner\nc | 11-03 01:00 | 1 | unity",
        "request | at | usd | network | unit\nc | 11-03 01:00:01 | 3 | unity | old",
        "more",
    )
    world.statement(
        "day | paid | impressions | unit | network | load\n11-03 | 1 | 2 | new | unity | u1\n"
        "11-03 | 1 | 3 | new | unity | u1",
        "Unity/u1",
    )
    match(world)
    [sums] = [one for one in list_waiting(world.workspace.store) if one.pair.network == "unity"]
    assert (sums.lines, sums.paid_micros, sums.pair.row_no) == (2, 2_000_000, 1)
    decide(world, "accepted", sums.pair.pair_id)
    done, _ = match(world)
    found = {row["row_no"]: row["keys_used"] for row in world.facts(done.done, "match") if row["network"] == "unity"}
    assert found == {1: "reviewed", 2: "reviewed"}


def test_a_line_and_a_request_are_accepted_once(world):
    match(world, least="0.40")
    found = waiting(world)
    decide(world, "accepted", found[1].pair.pair_id)
    decide(world, "rejected", found[2].pair.pair_id)
    assert decide(world, "accepted", found[1].pair.pair_id) == []
    match(world, least="0.40")
    other = {one.pair.unit_id for one in list_waiting(world.workspace.store)}
    assert "request:a" not in other
    decide(world, "undone", found[1].pair.pair_id)
    decide(world, "rejected", found[1].pair.pair_id)
    match(world, least="0.40")
    swapped = waiting(world)
    assert swapped[1].pair.unit_id == "request:b"
    decide(world, "accepted", swapped[1].pair.pair_id)
    with pytest.raises(PairTaken):
        decide(world, "accepted", found[1].pair.pair_id)


def test_with_four_eyes_a_second_person_has_to_say_the_same(world):
    queue(world)
    pair = waiting(world)[1].pair.pair_id
    [first] = decide(world, "accepted", pair, two=True)
    assert not first.is_final
    assert rulings_about(world.workspace.store, {"admob/l1"}) == []
    with pytest.raises(SecondPersonNeeded):
        decide(world, "accepted", pair, two=True)
    [other] = decide(world, "rejected", pair, actor=BEN, two=True)  # who disagrees proposes the opposite
    assert not other.is_final
    [second] = decide(world, "rejected", pair, actor=ANN, two=True)
    assert second.is_final
    # What counts is not taken back by one either.
    assert [one.is_final for one in decide(world, "undone", pair, two=True)] == [False]
    known = list_decisions(world.workspace.store)
    assert [one.ruling for one in standing(known).values()] == ["rejected"]
    assert [one[-1] for one in rulings_about(world.workspace.store, {"admob/l1"})] == ["rejected"]
    assert rulings_about(world.workspace.store, {"admob/l2"}) == []
    assert [one.ruling for one in proposed(known).values()] == ["undone"]
    assert [one.is_final for one in decide(world, "undone", pair, actor=BEN, two=True)] == [True]
    assert standing(list_decisions(world.workspace.store)) == {}


def test_what_nobody_decided_is_not_undone_by_two_but_a_proposal_by_one(world):
    queue(world)
    pair = waiting(world)[1].pair.pair_id
    decide(world, "accepted", pair, two=True)
    assert [one.is_final for one in decide(world, "undone", pair, two=True)] == [True]
    assert proposed(list_decisions(world.workspace.store)) == {}


def test_a_pair_that_does_not_wait_is_named(world):
    queue(world)
    with pytest.raises(PairUnknown, match="0123456789abcdef"):
        decide(world, "accepted", "0123456789abcdef")


def test_another_load_of_the_same_lines_is_reviewed_anew(world):
    match(world, least="0.40")
    decide(world, "accepted", waiting(world)[1].pair.pair_id)
    world.statement(LINES.replace("0.99", "0.98").replace("day |", "load | day |").replace("\n11", "\nl2 | 11"))
    assert match(world, least="0.40")[1] == {}


@pytest.fixture
def tieout(world):
    build(lambda: world.workspace)
    app = typer.Typer()
    app.add_typer(review)

    def invoke(*words):
        result = CliRunner().invoke(app, ["review", "ads", *words], env={"COLUMNS": "200"})
        if isinstance(result.exception, TieoutError):
            raise result.exception
        return result.exit_code, json.loads(result.stdout) if "--json" in words else result.output

    return invoke


def test_a_reviewer_at_the_command_line(tieout, world):
    assert "No pair waits" in tieout("list")[1]
    queue(world)
    _, listed = tieout("list", "--json")
    assert listed["total"] == 2
    pair = listed["pairs"][0]["pair"]
    assert pair in tieout("list")[1]
    code, said = tieout("accept", pair)
    assert (code, said) == (0, "Stored: 1 accepted. The next `tieout match ads` of the window follows it.\n")
    assert tieout("accept", pair)[0] == 10
    assert "accepted: match again" in tieout("list")[1]
    assert tieout("reject", pair)[0] == 0
    assert [one["counts"] for one in tieout("decisions", "--json")[1]] == [True, False]
    assert tieout("undo", pair)[0] == 0
    assert "undone" in tieout("decisions")[1]
    four = replace(world.workspace.settings, ads_four_eyes=True)
    build(lambda: type(world.workspace)(four, world.workspace.store, world.workspace.now))
    assert "A second person has to say the same" in tieout("accept", pair)[1]
    assert "waits for a second person" in tieout("list")[1]
