from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from sqlalchemy import update

from tests.books.ads.builders import World, days
from tests.books.ads.reads_world import ids, overview, told
from tieout.books.ads import current
from tieout.books.ads.delta_csv import csv_of, file_name, sanitised
from tieout.books.ads.expected import build_expected
from tieout.books.ads.matching import match_ads
from tieout.books.ads.period import parse_period
from tieout.books.ads.reads import Delta, DeltaQuery, Reads
from tieout.books.ads.reconcile import reconcile_ads
from tieout.books.ads.tunables import Tunables
from tieout.store.tables import run

LATE = date(2025, 11, 30)
RECEIPTS = "request | at | cpm | winner\na | 11-03 10:00 | 1 | admob\nb | 11-04 11:00 | 2 | admob"
EVENTS = "request | at | usd\na | 11-03 10:00:01 | 0.5\nb | 11-04 11:00:02 | 1"
STATEMENT = "day | paid | impressions\n11-03 | 0.4 | 1\n11-04 | 0.7 | 1\n11-05 | 3 | 7"


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.own(RECEIPTS, EVENTS)
    made.statement(STATEMENT)
    yield made
    made.close()


@pytest.fixture
def known(world):
    return Reads(world.workspace.store, world.workspace.settings)


def judge(world, period, **tunables):
    for step in (build_expected, match_ads):
        step(world.workspace, period)
    return reconcile_ads(world.workspace, period, Tunables(**tunables), as_of=LATE)


def test_days_that_nobody_judged_count_as_expected_what_was_paid(world, known):
    assert overview(known) == (9, 4_100_000, 4_100_000, 100, 0)
    judge(world, days("11-03", "11-04"))
    assert overview(known) == (9, 4_100_000, 4_200_000, 100, 0)
    assert overview(known, date(2025, 11, 3), date(2025, 11, 4)) == (1, 400_000, 500_000, 100, 0)
    assert overview(known, date(2025, 11, 5), date(2025, 11, 5)) == (0, 0, 0, 0, 0)


def test_a_difference_that_no_delta_explains_is_variance(world, known):
    judge(world, days("11-03", "11-04"), underpay_e12=900_000_000_000)
    assert overview(known, date(2025, 11, 3), date(2025, 11, 4))[2:] == (500_000, 100, 20)


def test_what_is_expected_and_in_no_statement_is_not_covered(world, known):
    world.own("request | at | cpm | winner\nc | 11-03 12:00 | 1 | unity", "request | at | usd\n", "more")
    judge(world, days("11-03", "11-04"))
    assert overview(known, date(2025, 11, 3), date(2025, 11, 4))[3] == 50


def test_periods_that_overlap_count_each_day_once(world, known):
    told(world, days("11-03", "11-04"), expected_micros=1_000_000)
    told(world, days("11-03", "11-06"))
    told(world, days("11-04", "11-05"), expected_micros=2_000_000)
    # The 3rd and the 5th from the longer period, for it is the latest about them; the 4th from its own.
    assert overview(known) == (3, 1_200_000, 3_000_000, 100, 0)
    assert sorted(ids(known)) == ["2025-11-03", "2025-11-03", "2025-11-04"]


def test_parts_of_a_day_are_added_up_until_the_whole_day_is_judged(world, known):
    for start, end in (("2025-11-03T00:00", "2025-11-03T12:00"), ("2025-11-03T12:00", "2025-11-04T00:00")):
        judge(world, parse_period(start, end))
    assert overview(known, date(2025, 11, 3), date(2025, 11, 4))[:3] == (1, 400_000, 500_000)
    told(world, days("11-03", "11-04"), expected_micros=700_000)
    assert overview(known, date(2025, 11, 3), date(2025, 11, 4))[:3] == (1, 400_000, 700_000)


def test_another_run_of_a_window_takes_the_place_of_the_former_and_a_load_that_of_its_own(world, known):
    day = days("11-03", "11-04")
    for deltas in (1, 0, 1, 3):
        told(world, day, deltas)
        assert ids(known) == ["2025-11-03"] * deltas
    assert overview(known, date(2025, 11, 5), date(2025, 11, 6))[1] == 3_000_000
    world.statement(STATEMENT.replace("| 3 |", "| 2 |"))
    assert overview(known, date(2025, 11, 5), date(2025, 11, 6))[1] == 2_000_000


def test_what_one_looks_at_stays_while_more_is_published(world, known):
    told(world, days("11-03", "11-04"))
    with known.look() as look:
        assert look.count_deltas(DeltaQuery()) == 1
        told(world, days("11-04", "11-05"))
        assert ids(known) == ["2025-11-04", "2025-11-03"]
        assert look.count_deltas(DeltaQuery()) == 1


def test_an_answer_is_the_same_from_memory_and_from_the_beginning(world, known):
    for start in range(2, 7):
        told(world, days(f"11-0{start}", f"11-0{start + 1}"), deltas=start)
        overview(known)
    for first in (date(2025, 11, 2), date(2025, 11, 5)):
        fresh = Reads(world.workspace.store, world.workspace.settings)
        assert overview(fresh, first) == overview(known, first)
        assert overview(fresh, first, app_id="app") == overview(known, first)
        assert ids(fresh) == ids(known)


def test_deltas_are_asked_for_page_by_page_in_one_order(world, known):
    for start in range(2, 5):
        told(world, days(f"11-0{start}", f"11-0{start + 1}"), deltas=3)
    with known.look() as look:
        query = DeltaQuery(app_id="app", kind="underpay", min_confidence=Decimal("0.7"))
        pages = [look.list_deltas(query, page=page, page_size=4) for page in (1, 2, 3, 4)]
        every = look.list_deltas(query, page_size=500)
        assert [len(page) for page in pages] == [4, 4, 1, 0]
        assert [one for page in pages for one in page] == every
        assert every == sorted(every, key=lambda one: (-one.window_start.timestamp(), one.evidence_id))
        assert look.count_deltas(query) == 9
        found = look.find_deltas([every[0].evidence_id, "win:none"])
        assert [one.evidence_id for one in found] == [every[0].evidence_id]


def test_files_that_retention_let_go_of_are_read_no_more(world, known, monkeypatch):
    done = told(world, days("11-03", "11-04"))
    assert ids(known) == ["2025-11-03"]
    store = world.workspace.store
    dropped = update(run).where(run.c.tenant == "default", run.c.run_id == done.run_id)
    store.state.write(lambda connection: connection.execute(dropped.values(files_dropped_us=world.now)))
    later = current.time.monotonic() + 61
    monkeypatch.setattr(current, "time", SimpleNamespace(monotonic=lambda: later))
    assert ids(known) == []
    assert overview(known, date(2025, 11, 3), date(2025, 11, 4))[2] == 400_000


def test_a_file_that_cannot_be_read_leaves_what_was_known(world, known):
    told(world, days("11-03", "11-04"))
    assert ids(known) == ["2025-11-03"]
    done = told(world, days("11-04", "11-05"))
    place = world.workspace.store.runs.file_path(done, "delta")
    content = place.read_bytes()
    place.chmod(0o600)
    place.write_bytes(b"no parquet")
    for _ in range(2):
        with pytest.raises(Exception, match=r"delta\.parquet"):
            ids(known)
    place.write_bytes(content)
    assert ids(known) == ["2025-11-04", "2025-11-03"]


def a_delta(**changed):
    start = parse_period("2025-11-03", "2025-11-04")
    given = {
        "kind": "underpay",
        "amount_micros": -1_234_567,
        "currency": "USD",
        "reason_code": "agg_underpay",
        "window_start": start.start,
        "window_end": start.end + timedelta(microseconds=5),
        "evidence_id": "win:x:underpay",
        "confidence": Decimal("0.705"),
    }
    return Delta(**given | changed)


def test_a_line_of_csv_is_exact_and_has_eight_columns_whatever_a_reason_says():
    reason = 'pay a@b.example, "now"\r\n\tcard 4111111111111111 sk_live_abc ✓'
    [_, line] = csv_of([a_delta(reason_code=reason)]).splitlines()
    cells = line.split(",")
    assert len(cells) == 8
    assert cells[1] == "-1.234567"
    assert cells[3] == 'pay [REDACTED_EMAIL]  ""now""   card [REDACTED_NUMERIC] sk_live_[REDACTED] ✓'
    assert cells[4:6] == ["2025-11-03T00:00:00Z", "2025-11-04T00:00:00.000005Z"]
    assert cells[7] == "0.71"
    assert csv_of([]).count("\n") == 1


def test_nothing_that_ends_a_line_is_left():
    assert "\n".join(sanitised("a\u2028b\x85c\x0bd").splitlines()) == "a b c d"


def test_the_name_of_the_file_says_the_window_only_where_both_ends_are_given():
    period = parse_period("2025-11-03", "2025-11-04")
    assert file_name(period.start, None, period.end) == "recon_deltas_2025-11-04-00-00-00.csv"
    whole = file_name(period.start, period.end, period.end)
    assert whole == "recon_deltas_2025-11-03_to_2025-11-04_2025-11-04-00-00-00.csv"
