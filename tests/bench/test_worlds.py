import dataclasses

import duckdb
import pytest

from bench import worlds
from bench.worlds import CLEAN_MEMOS, GROUPED, LONE, ONE_TO_ONE, MemoNoise, World

ROWS = 6_000


class Made:
    """A made world, to ask with SQL: ours and theirs with their row numbers, truth and lone, and pairs of all four."""

    def __init__(self, world, folder, form="parquet"):
        self.files = worlds.make(world, folder, form)
        self.connection = duckdb.connect()
        for side in ("ours", "theirs"):
            path = getattr(self.files, side)
            self.connection.execute(f"create table {side}_rows as from '{path}'")
            self.connection.execute(f"create view {side} as select rowid + 1 as {side}_row, * from {side}_rows")
        for name in ("truth", "lone"):
            self.connection.execute(f"create view {name} as from '{getattr(self.files, name)}'")
        self.connection.execute("""
            create view pair as
            select kind, ours_row, theirs_row, o.amount as expected, t.amount as reported, date - posted as lag_days,
                description, memo
            from truth join ours o using (ours_row) join theirs t using (theirs_row)
        """)

    def __call__(self, query):
        return self.connection.sql(query).fetchall()

    def one(self, query):
        return self(query)[0][0]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Made(World(rows=ROWS), tmp_path_factory.mktemp("world"))


def only(rows=2_000, **shares):
    """Return a world of one kind alone."""
    return World(rows, **(dict.fromkeys((*ONE_TO_ONE[1:], *GROUPED, *LONE), 0.0) | shares))


def test_the_same_world_has_the_same_rows_and_another_seed_has_others(made, tmp_path):
    again = Made(World(rows=ROWS), tmp_path / "again")
    other = Made(World(rows=ROWS, seed=2), tmp_path / "other")
    for name in ("ours", "theirs", "truth", "lone"):
        assert made(f"from {name}") == again(f"from {name}")
        assert made(f"from {name}") != other(f"from {name}")


def test_csv_holds_the_same_rows_as_parquet(made, tmp_path):
    csv = Made(World(rows=ROWS), tmp_path, "csv")
    for name in ("ours", "theirs"):
        assert made(f"select * replace (amount::varchar as amount) from {name}") == csv(
            f"select * replace (amount::decimal(18, 2)::varchar as amount) from {name}"
        )


def test_every_row_is_either_of_a_pair_or_lone(made):
    for side in ("ours", "theirs"):
        paired = f"select distinct {side}_row as row from truth"
        alone = f"select row from lone where side = '{side}'"
        assert made(f"({paired}) intersect ({alone})") == []
        assert made(f"({paired}) union all ({alone}) order by 1") == made(f"select {side}_row from {side} order by 1")


def test_a_row_is_once_in_a_one_to_one_kind_and_a_group_has_a_single_row_on_one_side(made):
    for side in ("ours", "theirs"):
        assert made(f"select {side}_row from truth where kind in {ONE_TO_ONE} group by 1 having count(*) > 1") == []
    assert made("select theirs_row from truth where kind = 'one_to_many' group by 1 having count(*) > 1") == []
    assert made("select ours_row from truth where kind = 'many_to_one' group by 1 having count(*) > 1") == []
    sizes = made("select distinct count(*) from truth where kind = 'many_to_one' group by theirs_row order by 1")
    assert sizes == [(size,) for size in range(2, 7)]


def test_the_parts_of_a_split_sum_to_the_whole_exactly_and_none_is_empty(made):
    sums = """
        select {whole}_row, any_value({one}), sum({many}), min(abs({many})) from pair where kind = '{kind}' group by 1
    """
    for kind, whole, one, many in (
        ("one_to_many", "ours", "expected", "reported"),
        ("many_to_one", "theirs", "reported", "expected"),
    ):
        found = made(sums.format(kind=kind, whole=whole, one=one, many=many))
        assert len(found) > 50
        assert all(total == parts and least > 0 for _, total, parts, least in found)


def test_kinds_have_the_shares_asked_for(made):
    world = World(rows=ROWS)
    facts = dict(made("select kind, count(*) from truth group by 1"))
    facts["one_to_many"] = made.one("select count(distinct ours_row) from truth where kind = 'one_to_many'")
    facts["many_to_one"] = made.one("select count(distinct theirs_row) from truth where kind = 'many_to_one'")
    facts |= dict(made("select kind, count(*) from lone where kind <> 'duplicate' group by 1"))
    facts["reversal"] //= 2
    assert sum(facts.values()) == ROWS
    for kind, share in world.shares.items():
        assert facts[kind] / ROWS == pytest.approx(share, abs=0.01), kind


def test_amounts_differ_as_their_kind_says(made):
    world = World()
    assert made.one("select count(*) from pair where kind in ('exact', 'duplicate') and expected <> reported") == 0
    assert made.one("select count(*) from pair where kind = 'wrong_sign' and expected <> -reported") == 0
    fixed = "select distinct abs(expected) - abs(reported) from pair where kind = 'fee_fixed'"
    assert [float(fee) for (fee,) in made(fixed)] == [world.fee_cents / 100]
    percent = f"""
        select max(abs(abs(expected) * {world.fee_bp} / 10000 - (abs(expected) - abs(reported))))
        from pair where kind = 'fee_percent'
    """
    assert float(made.one(percent)) <= 0.005 + 1e-9
    fx = "select max(abs(reported / expected - 1)), avg((expected <> reported)::int) from pair where kind = 'fx'"
    [(most, moved)] = made(fx)
    assert 0.02 < most < 0.031
    assert moved > 0.9
    [(least, most)] = made("select min(reported / expected), max(reported / expected) from pair where kind = 'partial'")
    assert 0.29 < least < most <= 0.9
    digits = "list_sort(string_split(lpad(replace(abs({})::varchar, '.', ''), 9, '0'), ''))"
    transposed = f"""
        select avg(({digits.format("expected")} = {digits.format("reported")})::int), min(abs(expected - reported))
        from pair where kind = 'transposed'
    """
    [(same_digits, least)] = made(transposed)
    assert same_digits > 0.95
    assert least > 0


def test_the_lag_follows_its_weights(tmp_path):
    made = Made(dataclasses.replace(only(), lag_weights=(0, 3, 1)), tmp_path)
    assert made.one("select avg((lag_days = 1)::int) from pair") == pytest.approx(0.75, abs=0.03)
    assert made("select distinct lag_days from pair order by 1") == [(1,), (2,)]


def test_a_reversal_cancels_inside_its_side_and_has_no_partner(tmp_path):
    made = Made(only(reversal=1.0), tmp_path)
    assert made.one("select count(*) from truth") == 0
    for side in ("ours", "theirs"):
        assert made.one(f"select count(*) from {side}") > 1_500
        assert made.one(f"select sum(amount) from {side}") == 0


def test_the_copy_of_a_duplicate_is_lone_and_later_than_its_original(tmp_path):
    made = Made(dataclasses.replace(only(duplicate=1.0), referenced=1.0), tmp_path)
    assert made.one("select count(*) from truth") == 2_000
    later = """
        select min(copy.posted - first.posted), max(copy.posted - first.posted), count(*)
        from ours copy join lone on side = 'ours' and copy.ours_row = row
        join ours first on first.description = copy.description and first.amount = copy.amount
        where first.ours_row not in (select row from lone where side = 'ours')
    """
    [(least, most, found)] = made(later)
    assert (least, most, found) == (1, 3, made.one("select count(*) from lone where side = 'ours'"))


@pytest.mark.parametrize("noise", [one.name for one in dataclasses.fields(MemoNoise)])
def test_a_noise_of_the_memo_befalls_the_share_asked_for(tmp_path, noise):
    world = dataclasses.replace(only(), memo=dataclasses.replace(CLEAN_MEMOS, **{noise: 0.4}), referenced=1.0)
    touched = Made(world, tmp_path).one("select avg((memo is distinct from description)::int) from pair")
    assert touched == pytest.approx(0.4, abs=0.04)


def test_an_exact_world_has_nothing_but_equal_pairs(tmp_path):
    made = Made(worlds.exact_world(1_000), tmp_path)
    assert made("select distinct kind, expected - reported, lag_days, memo = description from pair") == [
        ("exact", 0, 0, True)
    ]
    assert made.one("select count(*) from pair") == 1_000
    assert made.one("select avg((ours_row = theirs_row)::int) from truth") < 0.01


def test_rows_of_a_block_share_party_and_amount(tmp_path):
    world = dataclasses.replace(only(), block_rows=50, block_share=0.5, has_party=True, parties=5_000, round_share=0)
    made = Made(world, tmp_path)
    sizes = "select count(*) as size from ours group by party, abs(amount)"
    assert made.one(f"select sum(size) from ({sizes}) where size >= 50") == pytest.approx(1_000, abs=250)
    assert made.one("select count(distinct party) from ours") <= 5_000


def test_round_amounts_repeat(tmp_path):
    made = Made(dataclasses.replace(only(), round_share=0.5, round_values=10, block_share=0), tmp_path)
    common = "select count(*) as times from ours group by abs(amount) order by 1 desc limit 10"
    assert made.one(f"select sum(times) from ({common})") / 2_000 == pytest.approx(0.5, abs=0.04)


def test_choices_do_not_hang_together(made):
    assert made.one("select avg((amount < 0)::int) from ours") == pytest.approx(0.3, abs=0.03)
    for kind in ("exact", "fx", "fee_percent"):
        share = made.one(f"select avg((expected < 0)::int) from pair where kind = '{kind}'")
        assert share == pytest.approx(0.3, abs=0.08), kind
    assert abs(made.one("select corr(lag_days, abs(expected)) from pair where kind = 'exact'")) < 0.05


def test_a_world_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"sum to 1\.2"):
        World(fx=0.6, partial=0.6, **dict.fromkeys((*ONE_TO_ONE[1:3], *ONE_TO_ONE[5:], *GROUPED, *LONE), 0.0))
    with pytest.raises(ValueError, match="most_parts is 9"):
        World(most_parts=9)
    with pytest.raises(ValueError, match="'xlsx' is no format"):
        worlds.make(World(), tmp_path, "xlsx")
