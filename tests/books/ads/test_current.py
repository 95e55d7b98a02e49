"""Whatever was published, replaced, let go of, gathered or opened anew: answers are those of a naive reader."""

from __future__ import annotations

import os
import signal
from datetime import date, timedelta
from decimal import Decimal
from threading import Event
from types import SimpleNamespace

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from tests.books.ads.builders import World, days
from tests.books.ads.reads_world import END, FIRST, ids, overview, told
from tieout.books.ads import current, reads
from tieout.books.ads.current import gather, gather_where_many, open_current, shape
from tieout.books.ads.gathered import list_gathered, put_gathered
from tieout.books.ads.pieces import BOOK
from tieout.books.ads.reads import DeltaQuery, Reads, TenantReads, list_tenants
from tieout.store.folders import StorageFull
from tieout.store.guards import EVERY_TENANT
from tieout.store.locks import lock
from tieout.store.tables import publication, run

TENANTS = ("default", "other")
PERIODS = [days("11-02", "11-03"), days("11-03", "11-04"), days("11-03", "11-05"), days("11-05", "11-06")]
HALVES = [("2025-11-03T00:00", "2025-11-03T12:00"), ("2025-11-03T12:00", "2025-11-04T00:00")]
DAYS = [FIRST + timedelta(days=at) for at in range(7)]


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


def files(world, tenant="default"):
    return list_gathered(world.workspace.store.folders.gathered(tenant, BOOK), shape())


def gather_now(world):
    return gather(world.workspace.store, world.workspace.settings, least=0)


def fresh(world):
    return Reads(world.workspace.store, world.workspace.settings)


def drop(world, run_id, *, at):
    store = world.workspace.store
    dropped = update(run).where(run.c.tenant == store.tenant, run.c.run_id == run_id).values(files_dropped_us=at)
    store.state.write(lambda connection: connection.execute(dropped))


class Naive:
    """What the windows of a tenant point to, in a dictionary; nothing is remembered between two questions."""

    def __init__(self):
        self.windows = {}
        self.count = 0

    def publish(self, run_id, period, deltas, expected):
        self.count += 1
        self.windows[period.window] = SimpleNamespace(
            at=self.count, run_id=run_id, period=period, deltas=deltas, expected=expected, is_kept=True
        )

    def deltas(self, first=None):
        every = [
            (-one.period.start_us, f"win:{one.period.text}:underpay:{at}", one.run_id)
            for one in self.windows.values()
            if one.is_kept and (first is None or one.period.start.date() >= first)
            for at in range(one.deltas)
        ]
        return [(evidence_id, run_id) for _, evidence_id, run_id in sorted(every)]

    def totals(self, first, end):
        """Each day is told by the latest run about the whole of it; all periods here are whole days."""
        expected = paid = 0
        for day in DAYS:
            about = [
                one
                for one in self.windows.values()
                if one.is_kept and one.period.first_day <= day < one.period.end_day and first <= day < end
            ]
            if about:
                expected += max(about, key=lambda one: one.at).expected
                paid += 400_000
        return paid, expected


class Side:
    """A tenant: what really is, what the naive reader thinks, and a reader that lives on."""

    def __init__(self, world):
        self.world, self.naive, self.known = world, Naive(), fresh(world)

    def act(self, what, period, number):
        known = self.naive.windows.get(period.window)
        if what == "publish":
            expected = 400_000 + number * 10_000
            done = told(self.world, period, deltas=number, expected_micros=expected)
            if known is None or (known.run_id, known.is_kept) != (done.run_id, True):
                at = known.at if known is not None and known.run_id == done.run_id else None
                self.naive.publish(done.run_id, period, number, expected)
                self.naive.windows[period.window].at = at or self.naive.count
        elif what == "drop" and known is not None:
            drop(self.world, known.run_id, at=self.world.now)
            known.is_kept = False
        elif what == "gather":
            gather_now(self.world)
        elif what == "restart":
            self.known = fresh(self.world)

    def check(self):
        with self.known.look() as look:
            for app_id in (None, "app"):
                wanted, query = self.naive.deltas(), DeltaQuery(app_id=app_id)
                listed = [one for page in (1, 2) for one in look.list_deltas(query, page=page, page_size=4)]
                assert [(one.evidence_id, one.run_id) for one in listed] == wanted[:8]
                assert look.count_deltas(query) == len(wanted)
            assert look.count_deltas(DeltaQuery(app_id="none")) == 0
            later = DeltaQuery(start=PERIODS[1].start, kind="underpay", min_confidence=Decimal("0.7"))
            assert look.count_deltas(later) == len(self.naive.deltas(first=PERIODS[1].start.date()))
            found = look.find_deltas([evidence_id for evidence_id, _ in self.naive.deltas()])
            assert {(one.evidence_id, one.run_id) for one in found} == set(self.naive.deltas())
        for app_id in (None, "app"):
            for first, end in ((FIRST, END), (date(2025, 11, 3), date(2025, 11, 4))):
                assert overview(self.known, first, end, app_id)[1:3] == self.naive.totals(first, end)


ACTS = st.tuples(
    st.sampled_from(TENANTS),
    st.sampled_from(["publish", "publish", "publish", "drop", "gather", "gather", "restart"]),
    st.sampled_from(PERIODS),
    st.integers(0, 3),
)


@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink what takes a second takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(acts=st.lists(ACTS, min_size=3, max_size=8))
def test_any_history_is_read_as_a_naive_reader_would(acts, tmp_path_factory, monkeypatch):
    monkeypatch.setattr(current, "LOOK_FOR_DROPPED_S", -1.0)
    worlds = [World(tmp_path_factory.mktemp("world"), tenant) for tenant in TENANTS[:1]]
    worlds.append(World(worlds[0].folder, TENANTS[1]))
    sides = dict(zip(TENANTS, map(Side, worlds), strict=True))
    for tenant, *act in acts:
        sides[tenant].act(*act)
        sides[tenant].check()
    for side in sides.values():
        side.act("gather", PERIODS[0], 0)
        side.act("restart", PERIODS[0], 0)
        side.check()
        side.world.close()


def test_a_gathered_file_is_what_the_next_reader_begins_with(world, monkeypatch):
    told(world, PERIODS[0], deltas=3)
    assert not gather(world.workspace.store, world.workspace.settings, least=1)
    assert gather_now(world)
    assert not gather_now(world)
    told(world, PERIODS[1], deltas=2)
    begun = open_current(world.workspace.store, world.workspace.settings)
    assert begun.gathered == files(world)[0]
    assert begun.beside == 0
    begun.take_over(begun.list_news())
    assert begun.beside == 1
    told(world, PERIODS[0], deltas=1)
    begun.take_over(begun.list_news())
    assert begun.beside == 2
    assert gather_now(world)
    [only] = files(world)
    assert only.position == begun.position
    assert only.path.stat().st_mode & 0o777 == 0o400
    assert ids(fresh(world)) == ["2025-11-03"] * 2 + ["2025-11-02"]


@pytest.mark.parametrize("at", [0.0, 0.6])
def test_a_damaged_file_is_not_read_and_made_anew(world, at):
    told(world, PERIODS[0], deltas=3)
    gather_now(world)
    [file] = files(world)
    content = bytearray(file.path.read_bytes())
    content[int(at * (len(content) - 1))] ^= 1
    file.path.chmod(0o600)
    file.path.write_bytes(content)
    assert open_current(world.workspace.store, world.workspace.settings).gathered is None
    assert ids(fresh(world)) == ["2025-11-02"] * 3
    assert gather_now(world)
    assert [one.is_whole for one in files(world)] == [True]


def test_a_file_that_is_damaged_while_it_is_open_costs_one_answer(world):
    told(world, PERIODS[0], deltas=3)
    gather_now(world)
    known = fresh(world)
    assert ids(known) == ["2025-11-02"] * 3
    files(world)[0].path.unlink()
    with pytest.raises(duckdb.Error), known.look() as look:
        look._cursor.execute("select error('a block is not what was written')").fetchall()
    assert ids(known) == ["2025-11-02"] * 3


def test_files_of_another_shape_are_left_alone_for_a_week(world, tmp_path):
    told(world, PERIODS[0])
    folder = world.workspace.store.folders.gathered("default", BOOK)
    for name, age_days in (("old", 8), ("new", 6)):
        draft = tmp_path / name
        draft.write_text(name)
        made = put_gathered(folder, {"old": "a", "new": "b"}[name] * 12, 10**9, draft)
        then = made.path.stat().st_mtime - age_days * 86_400
        os.utime(made.path, (then, then))
    assert ids(fresh(world)) == ["2025-11-02"]
    gather_now(world)
    assert [len(list_gathered(folder, one)) for one in ("a" * 12, "b" * 12, shape())] == [0, 1, 1]


def test_a_file_that_is_ahead_of_a_state_put_back_from_a_backup_is_not_used(world):
    told(world, PERIODS[0])
    told(world, PERIODS[1], deltas=2)
    gather_now(world)
    store = world.workspace.store
    store.state.write(lambda connection: connection.execute(delete(publication).where(publication.c.seq == 2)))
    assert ids(fresh(world)) == ["2025-11-02"]
    world.now += timedelta(seconds=1)
    told(world, PERIODS[2], deltas=1)  # with the number that the lost publication had
    assert ids(fresh(world)) == ["2025-11-03", "2025-11-02"]
    gather_now(world)
    assert ids(fresh(world)) == ["2025-11-03", "2025-11-02"]


KILLED = """
import os, signal, sys
from tieout.books.ads import current, gathered
from tieout.compose import open_workspace

traced = (current.gather.__code__, current.CurrentFacts.write_file.__code__, gathered.put_gathered.__code__)
lines = 0

def kill(frame, event, _given):
    global lines
    if frame.f_code not in traced:
        return None
    lines += event == "line"
    if lines > int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    return kill

workspace = open_workspace()
sys.settrace(kill)
current.gather(workspace.store, workspace.settings, least=0)
sys.exit(7)
"""


def test_whoever_gathers_may_be_killed_at_any_line(world, forks):
    told(world, PERIODS[0], deltas=2)
    gather_now(world)
    told(world, PERIODS[0], deltas=1)
    told(world, PERIODS[1], deltas=2)
    environment = {"TIEOUT_DATA_DIR": str(world.folder / "data"), "TIEOUT_THREADS": "1", "PATH": os.environ["PATH"]}
    ended = []
    for line in (12, 31, 39, 100):
        ended.append(forks.run([line], env=environment, code=KILLED).returncode)
        assert {one.is_whole for one in files(world)} == {True}
    assert ended == [-signal.SIGKILL] * 3 + [7]
    assert ids(fresh(world)) == ["2025-11-03"] * 2 + ["2025-11-02"]
    assert open_current(world.workspace.store, world.workspace.settings).beside == 0


def test_one_process_gathers_at_a_time(world):
    told(world, PERIODS[0])
    with lock(world.workspace.store.folders.locks / "gathered-ads-default"):
        assert not gather_now(world)
    assert gather_now(world)


def test_a_reader_that_finds_many_windows_gathers_them_first(world, monkeypatch):
    for module in (current, reads):
        monkeypatch.setattr(module, "MAX_BESIDE", 2)
    for at in range(2, 5):
        told(world, days(f"11-0{at}", f"11-0{at + 1}"))
    known = fresh(world)
    assert ids(known) == ["2025-11-04", "2025-11-03", "2025-11-02"]
    assert [one.position for one in files(world)] == [3]
    for at in range(5, 8):
        told(world, days(f"11-0{at}", f"11-0{at + 1}"))
        assert len(ids(known)) == at - 1
    known.tidy()
    assert [one.position for one in files(world)] == [6]
    assert overview(known) == overview(fresh(world))
    assert len(ids(known)) == 6


def test_without_room_for_the_file_answers_are_the_same(world, monkeypatch):
    def full(*_given):
        raise StorageFull("There is no room.")

    for module in (current, reads):
        monkeypatch.setattr(module, "MAX_BESIDE", 0)
    monkeypatch.setattr(current, "put_gathered", full)
    told(world, PERIODS[0], deltas=2)
    assert ids(fresh(world)) == ["2025-11-02"] * 2
    gather_where_many(world.workspace.store, world.workspace.settings)
    assert files(world) == []


def test_who_publishes_many_windows_gathers_them(world, monkeypatch):
    monkeypatch.setattr(current, "MAX_BESIDE", 1)
    monkeypatch.setattr(current, "MOST_BESIDE", 2)
    positions = []
    for at in range(2, 6):
        told(world, days(f"11-0{at}", f"11-0{at + 1}"))
        gather_where_many(world.workspace.store, world.workspace.settings)
        positions.append([one.position for one in files(world)])
    assert positions == [[], [2], [2], [4]]


def test_files_that_come_back_are_read_again(world, monkeypatch):
    monkeypatch.setattr(current, "LOOK_FOR_DROPPED_S", -1.0)
    done = told(world, PERIODS[0])
    known = fresh(world)
    gather_now(world)
    for at, wanted in ((world.now, []), (None, ["2025-11-02"])) * 2:
        drop(world, done.run_id, at=at)
        assert ids(known) == ids(fresh(world)) == wanted


def test_a_server_reads_before_it_is_asked(world, monkeypatch):
    told(world, PERIODS[0], deltas=2)
    other = World(world.folder, "other")
    told(other, PERIODS[1])
    stores = {"default": world.workspace.store, "other": other.workspace.store}
    every = TenantReads(stores.__getitem__, world.workspace.settings)
    asked = list_tenants(world.workspace.store.state.of(EVERY_TENANT))
    assert asked == ["other", "default"]
    stop = Event()
    monkeypatch.setattr(reads, "TIDY_S", 0)
    rounds = iter(range(3))
    tidied = Reads.tidy

    def tidy(self):
        tidied(self)
        if next(rounds, None) is None:
            stop.set()

    monkeypatch.setattr(Reads, "tidy", tidy)
    every.keep_ready(stop, ["none", *asked])  # there is no store of that name: it is logged, and the others are read
    assert ids(every.of("default")) == ["2025-11-02"] * 2
    assert ids(every.of("other")) == ["2025-11-03"]
    other.close()
