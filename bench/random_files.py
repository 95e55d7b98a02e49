"""Random files compared for as long as one likes: nothing may break, and the order of rows may change nothing.

Every case is drawn from its seed, kind and number alone, so `--seed 1 --kinds keyed --case 17` makes that one again.
What a case must hold:

- it ends with a result or with an error that says what to do, never with one of the engine's own,
- every row of a side is told of once: matched, unmatched, a duplicate or in quarantine,
- by the plan of its first run the same rows in another order give the same matches, differences and sums,
- it takes no longer than its size allows,
- payments that two systems wrote in their own ways are paired as they belong together, with the gaps that were planted.

`python -m bench.random_files --minutes 60` runs all kinds by turns and ends with 1 where a case breaks.
"""

import argparse
import dataclasses
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from bench import worlds, written

DATA = Path(__file__).parent / ".data" / "random"
SECONDS_AT_LEAST = 6.0
ROWS_A_SECOND = 1_500
OWN_ERRORS = {"step_failed", "step_contract_broken"}
"""Errors that are never the fault of a file."""
MEMORY = ("300MB", "600MB", "3GB", "3GB")


@dataclass(frozen=True)
class Case:
    """One comparison of random files, of at most so many rows a side."""

    kind: str
    seed: int
    number: int
    most_rows: int

    def draw(self) -> random.Random:
        return random.Random(f"{self.seed} {self.kind} {self.number}")

    @property
    def command(self) -> str:
        return (
            f"python -m bench.random_files --seed {self.seed} --kinds {self.kind} --case {self.number}"
            f" --rows {self.most_rows}"
        )


@dataclass(frozen=True)
class Given:
    """What is compared: files or tables, the options, a few words about them, and the truth where it is known."""

    ours: Any
    theirs: Any
    told: str
    options: dict[str, Any] = field(default_factory=dict)
    truth: written.Written | None = None


@dataclass(frozen=True)
class Ended:
    """How a case ended: `ties_out`, `differences`, the code of a clear error, or `broken`, and how long it took."""

    how: str
    seconds: float
    told: str = ""


Maker = Callable[[random.Random, Path, int, int], Given]


def _rows(draw: random.Random, least: int, most: int) -> int:
    """Return a number of rows, small ones as likely as large ones."""
    return round(least * (most / least) ** draw.random())


def _some_options(draw: random.Random) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if draw.random() < 0.2:
        options["window_days"] = draw.choice([0, 3, 40])
    if draw.random() < 0.2:
        options["tolerance"] = draw.choice(["0.05", "1%"])
    return options


def _scored(draw: random.Random, folder: Path, most_rows: int, order: int) -> Given:
    """Payments without a common key: a world of odd shares, of which some columns are left out."""
    import duckdb  # noqa: PLC0415 (contenders read this package where there is none)

    shares = {name: draw.choice([0, 0.02, 0.1]) for name in ("fee_percent", "fx", "partial", "transposed", "duplicate")}
    rows = _rows(draw, 30, most_rows)
    world = worlds.World(
        rows,
        seed=draw.randrange(10**6),
        days=draw.choice([1, 3, 10, 30, 120, 700]),
        round_share=draw.choice([0.15, 0.15, 0, 0.9]),
        block_share=draw.choice([0.1, 0, 0.3]),
        block_rows=draw.choice([6, 10, 50]),
        referenced=draw.choice([0.5, 0, 0.95]),
        parties=draw.choice([0, 0, 3, 50, rows]),
        **shares,
    )
    made = worlds.make(world, folder / "world", "parquet")
    out = {place for place in range(6) if draw.random() < 0.12}
    form, repeated = draw.choice(["csv", "parquet"]), draw.random() < 0.15
    paths = []
    with duckdb.connect() as con:
        for side, path in (("ours", made.ours), ("theirs", made.theirs)):
            columns = con.sql(f"from '{path}'").columns
            kept = ", ".join(name for place, name in enumerate(columns) if place not in out) or columns[0]
            again = f"union all from numbered where place < {rows // 7}" if repeated else ""
            paths.append(folder / f"{side}.{form}")
            con.execute(f"""
                copy (
                  with numbered as (select {kept}, row_number() over () as place from '{path}'),
                  every as (from numbered {again})
                  select {kept} from every order by hash(place, {order}), place
                ) to '{paths[-1]}'
            """)
    told = f"{dataclasses.asdict(world)} without columns {sorted(out)}, some rows twice: {repeated}"
    return Given(*paths, told, _some_options(draw))


def _keyed(draw: random.Random, folder: Path, most_rows: int, order: int) -> Given:
    """Rows that share a reference, or a batch whose sum one side has, more or less of them on either side."""
    import duckdb  # noqa: PLC0415

    rows, repeat, days = _rows(draw, 5, most_rows), draw.choice([1, 1, 1, 2, 20]), draw.choice([1, 5, 30, 365])
    key = draw.choice(
        [
            f"'K' || (i // {repeat})",
            f"i // {repeat}",
            f"if(i % 7 = 0, null, 'A-' || (i // {repeat}))",
            f"lpad((i // {repeat})::varchar, 9, '0')",
        ]
    )
    share = {side: draw.choice([0, 0.001, 0.1, 0.5]) for side in ("ours", "theirs")}
    changed, currencies, words = draw.choice([0, 0.01, 0.2, 0.9]), draw.choice([1, 1, 3]), draw.choice([5, 200, 20_000])
    is_summed, form = draw.random() < 0.25, draw.choice(["csv", "parquet"])
    columns = ["ref", "day", "amount", "currency", "memo", "batch"]
    columns = [name for name in columns if name == "amount" or draw.random() >= 0.2]
    paths = [folder / f"{side}.{form}" for side in ("ours", "theirs")]
    with duckdb.connect() as con:
        con.execute(f"create macro chance(i, of) as hash(i, of, {draw.randrange(10**9)}) % 1000000 / 1000000")
        con.execute(f"""
            create table given as
            select
              i, {key} as ref, date '2026-01-01' + cast(chance(i, 'day') * {days} as int) as day,
              cast(round(chance(i, 'amount') * {draw.choice([10, 1000, 100_000])}, 2) as decimal(18, 2))
                * if(chance(i, 'sign') < {draw.choice([0, 0.3])}, -1, 1) as amount,
              ['EUR', 'USD', 'GBP'][1 + i % {currencies}] as currency,
              'w' || cast(chance(i, 'w') * {words} as int) || ' x' || cast(chance(i, 'x') * {words} as int) as memo,
              'G' || (i // {draw.choice([2, 5, 50])}) as batch
            from range({rows}) t(i)
        """)
        con.execute(f"create table ours as from given where chance(i, 'ours') >= {share['ours']}")
        con.execute(f"""
            create table theirs as
            select * replace (
              if(chance(i, 'late') < {changed}, day + cast(chance(i, 'lag') * 5 as int), day) as day,
              if(chance(i, 'gap') < {changed}, cast(amount + round(chance(i, 'by') * 3, 2) as decimal(18, 2)), amount)
                as amount,
              if(chance(i, 'case') < {changed}, upper(memo), memo) as memo
            )
            from given
            where chance(i, 'theirs') >= {share["theirs"]}
        """)
        if is_summed:
            con.execute("""
                create or replace table theirs as
                select min(i) as i, null::varchar as ref, max(day) as day, sum(amount) as amount, currency,
                  min(memo) as memo, batch
                from theirs group by batch, currency
            """)
        for side, path in zip(("ours", "theirs"), paths, strict=True):
            con.execute(f"copy (select {', '.join(columns)} from {side} order by hash(i, {order}), i) to '{path}'")
    options = _some_options(draw)
    if "ref" in columns and draw.random() < 0.5:
        options["on"] = "ref"
    if "batch" in columns and draw.random() < 0.3:
        options["group_by"] = "batch"
    told = f"{rows} rows, key {key}, left out {share}, changed {changed}, {currencies} currencies, {words} words"
    return Given(*paths, f"{told}, {days} days, columns {columns}, summed: {is_summed}, {form}", options)


TYPES = {
    "ref": (
        "i::bigint", "i::integer", "i::ubigint", "i::hugeint", "i::double", "i::decimal(18, 2)", "'K' || i",
        "md5(i::varchar)::uuid", "date '2026-01-01' + i::int", "timestamp '2026-01-01' + to_seconds(i)",
        "if(i % 5 = 0, null, i)", "('K' || i)::blob", "i % 2 = 0", "'K' || i || ' '", "lpad(i::varchar, 8, '0')",
    ),
    "amount": (
        "a", "a::double", "a::float", "(a * 100)::bigint", "a::varchar", "a::decimal(38, 6)", "a::integer", "'$' || a",
        "a::hugeint", "if(i % 11 = 0, null, a)", "if(i % 11 = 0, 'n/a', a::varchar)",
    ),
    "day": (
        "d", "d::timestamp", "d::timestamptz", "d::varchar", "strftime(d, '%d.%m.%Y')", "epoch(d::timestamp)::bigint",
        "d::timestamp_ns", "strftime(d, '%Y%m%d')::int",
    ),
    "currency": ("'EUR'", "['EUR', 'USD'][1 + i % 2]", "['EUR', 'USD'][1 + i % 2]::enum('EUR', 'USD')", "null"),
    "memo": ("'memo ' || (i * 7919 % 1000)", "null", "i * 7919 % 1000", "['x', 'y']", "{'a': i}", "i % 2 = 0"),
    "batch": ("'G' || (i // 3)", "i // 3", "(i // 3)::smallint"),
}  # fmt: skip


def _typed(draw: random.Random, folder: Path, most_rows: int, order: int) -> Given:
    """Columns of any type, the same on both sides or not, in files and in tables of Arrow and pandas."""
    import duckdb  # noqa: PLC0415

    rows, form, changed = (
        _rows(draw, 2, min(most_rows, 5_000)),
        draw.choice(["parquet", "arrow", "pandas", "csv"]),
        0.05,
    )
    names = [name for name in TYPES if draw.random() >= 0.25] or ["amount"]
    ours = {name: draw.choice(TYPES[name]) for name in names}
    theirs = ours if draw.random() < 0.6 else {name: draw.choice(TYPES[name]) for name in names}
    given: list[Any] = []
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.execute(f"""
            create table given as
            select
              i, cast((i * 7919) % 10007 / 100 as decimal(18, 2)) as a, date '2026-01-01' + cast(i % 40 as int) as d
            from range({rows}) t(i)
        """)
        for side, columns, kept in (("ours", ours, "i % 17 <> 3"), ("theirs", theirs, "i % 19 <> 4")):
            gap = f"if(hash(i) % 100 < {100 * changed if side == 'theirs' else 0}, a + 1, a)"
            values = ", ".join(f"{value} as {name}" for name, value in columns.items())
            asked = f"""
                select {values} from (select * replace ({gap} as a) from given where {kept})
                order by hash(i, {order}), i
            """
            if form in ("parquet", "csv"):
                given.append(folder / f"{side}.{form}")
                con.execute(f"copy ({asked}) to '{given[-1]}'")
            else:
                found = con.sql(asked)
                given.append(found.to_arrow_table() if form == "arrow" else found.df())
    options = {"on": "ref"} if "ref" in names and draw.random() < 0.5 else {}
    return Given(*given, f"{rows} rows, {form}, ours {ours}, theirs {theirs}", options)


def _settled(draw: random.Random, folder: Path, most_rows: int, order: int) -> Given:
    """Open invoices against payments of several at once, with advice that lacks lines, or without."""
    import duckdb  # noqa: PLC0415

    rows = _rows(draw, 10, min(most_rows, 20_000))
    customers, per_payment = max(1, rows // draw.choice([2, 5, 20, 100])), draw.choice([1, 2, 3, 6])
    days, missing, unadvised = draw.choice([10, 90, 365]), draw.choice([0, 0.1, 0.4]), draw.choice([0, 0.1, 0.5])
    top = draw.choice([50, 5000])
    invoices, payments, advice = (folder / f"{name}.csv" for name in ("invoices", "payments", "advice"))
    with duckdb.connect() as con:
        con.execute(f"create macro chance(i, of) as hash(i, of, {draw.randrange(10**9)}) % 1000000 / 1000000")
        con.execute(f"""
            create table invoice as
            select
              i, 'INV-' || lpad(i::varchar, 6, '0') as invoice_id, i // {per_payment} as pay,
              hash(i // {per_payment}) % {customers} as customer,
              date '2026-01-01' + cast(i * {days} / {rows} as int) as invoice_date,
              cast(round(0.01 + chance(i, 'amount') * {top}, 2) * if(chance(i, 'credit') < 0.03, -1, 1)
                as decimal(18, 2)) as amount
            from range({rows}) t(i)
        """)
        con.execute(f"""
            create table payment as
            select
              pay, 'PMT-' || lpad(pay::varchar, 6, '0') as payment_id,
              max(invoice_date) + cast(chance(pay, 'lag') * 30 as int) as payment_date,
              'Customer ' || min(customer) || ' Ltd' as payer_name,
              cast(sum(amount) * case
                when chance(pay, 'discount') < 0.1 then 0.98 when chance(pay, 'over') < 0.05 then 1.1
                when chance(pay, 'part') < 0.1 then 0.5 else 1
              end as decimal(18, 2)) as amount,
              if(chance(pay, 'told') < 0.3, 'ref ' || min(invoice_id), 'WIRE ' || pay * 7919) as reference_info
            from invoice
            group by pay
            having chance(pay, 'missing') >= {missing}
        """)
        con.execute(f"""
            copy (
              select
                invoice_id, 'C-' || customer as customer_id, 'Customer ' || customer || ' Limited' as customer_name,
                invoice_date, amount, 'services ' || customer % 13 as description
              from invoice order by hash(i, {order}), i
            ) to '{invoices}'
        """)
        con.execute(f"copy (select * exclude (pay) from payment order by hash(pay, {order}), pay) to '{payments}'")
        con.execute(f"""
            copy (
              select 'REM-' || i as remittance_id, payment_id, invoice_id as invoice_ref, i.amount,
                if(chance(i, 'memo') < 0.05, 'Less credit', 'Invoice payment') as memo
              from invoice i join payment using (pay)
              where chance(i, 'unadvised') >= {unadvised} order by hash(i, {order}), i
            ) to '{advice}'
        """)
        has_lines = con.sql(f"select count(*) from read_csv('{advice}')").fetchall()[0][0] > 0
    options = {"advice": advice} if has_lines and draw.random() < 0.7 else {}
    told = f"{rows} invoices of {customers} customers, {per_payment} a payment, {days} days, missing {missing}"
    return Given(invoices, payments, f"{told}, without advice {unadvised}, up to {top}", options)


def _written(draw: random.Random, folder: Path, most_rows: int, order: int) -> Given:
    """The same payments as two systems write them."""
    made = written.write(draw, folder, _rows(draw, 10, min(most_rows, 400)), order)
    return Given(made.ours, made.theirs, made.told, truth=made)


KINDS: dict[str, Maker] = {
    "scored": _scored,
    "keyed": _keyed,
    "typed": _typed,
    "settled": _settled,
    "written": _written,
}


def run_case(case: Case, folder: Path) -> Ended:
    """Make the files of a case below `folder`, compare them in two orders, and tell how it ended."""
    import tieout  # noqa: PLC0415
    from tieout.core.errors import TieoutError  # noqa: PLC0415
    from tieout.core.settings import Settings  # noqa: PLC0415

    draw = case.draw()
    environment = {"TIEOUT_DATA_DIR": str(folder / "home"), "TIEOUT_MEMORY_LIMIT": draw.choice(MEMORY)}
    state = draw.getstate()
    given = [_made(case, draw, state, folder, order) for order in (1, 2)]
    told = f"{given[0].told}, options {given[0].options}, memory {environment['TIEOUT_MEMORY_LIMIT']}"
    settings = Settings.from_environment(environment)
    started = time.perf_counter()
    try:
        first = tieout.compare(given[0].ours, given[0].theirs, settings=settings, **given[0].options)
        seconds = time.perf_counter() - started
        plan = next((folder / "home").rglob(f"{first.run_id}/plan.toml"))
        advice = {name: value for name, value in given[1].options.items() if name == "advice"}
        second = tieout.compare(given[1].ours, given[1].theirs, settings=settings, plan=plan, **advice)
    except TieoutError as error:
        is_own = error.code in OWN_ERRORS
        how = "broken" if is_own else error.code
        return Ended(how, time.perf_counter() - started, f"{told}: {error}" if is_own else told)
    except Exception as error:  # noqa: BLE001 - any other is what is looked for
        return Ended("broken", time.perf_counter() - started, f"{told}: {type(error).__name__}: {error}")
    broken = [*_unaccounted(first), *_differing(first, second), *_untrue(first, given[0].truth)]
    allowed = SECONDS_AT_LEAST + first.summary["ours"]["rows"] / ROWS_A_SECOND
    if seconds > allowed:
        broken.append(f"took {seconds:.1f} s, {allowed:.1f} are allowed")
    if broken:
        return Ended("broken", seconds, f"{told}: {'; '.join(broken)}")
    return Ended(first.summary["result"], seconds, told)


def _made(case: Case, draw: random.Random, state: Any, folder: Path, order: int) -> Given:
    draw.setstate(state)
    place = folder / f"order-{order}"
    place.mkdir(parents=True)
    return KINDS[case.kind](draw, place, case.most_rows, order)


def _unaccounted(compared: Any) -> list[str]:
    """Say on which side a row is told of twice, or not at all."""
    import duckdb  # noqa: PLC0415

    found = []
    for side in ("ours", "theirs"):
        facts = {
            "matched": compared.matches,
            "unmatched": getattr(compared, f"unmatched_{side}"),
            "refused": compared.quarantine,
        }
        with duckdb.connect() as con:
            for name, table in facts.items():
                con.register(name, table)
            [(rows, told)] = con.execute(f"""
                with told as (
                  select distinct {side}_row as row_no, 'matched' as how from matched where {side}_row is not null
                  union all select {side}_row, 'unmatched' from unmatched
                  union all select distinct coalesce(row_no, -line), 'refused' from refused where side = '{side}'
                )
                select count(distinct row_no), count(*) from told
            """).fetchall()
        if not rows == told == compared.summary[side]["rows"]:
            found.append(f"{side} has {compared.summary[side]['rows']} rows, {rows} are told of, {told} times")
    return found


def _untrue(compared: Any, truth: written.Written | None) -> list[str]:
    """Say which pairs and gaps are not those that were planted."""
    if truth is None:
        return []
    pairs = {(row["ours_row"], row["theirs_row"]) for row in compared.matches.to_pylist() if row["outcome"] == "auto"}
    amounts = [abs(row["amount"]) for row in compared.deltas.to_pylist() if row["ours_row"] and row["theirs_row"]]
    gaps = tuple(sorted(amount for amount in amounts if amount))
    found = []
    if pairs != truth.pairs:
        found.append(
            f"{len(truth.pairs - pairs)} pairs of {len(truth.pairs)} missing, {len(pairs - truth.pairs)} wrong"
        )
    elif gaps != truth.gaps:
        found.append(f"the gaps are {gaps[:5]}, planted were {truth.gaps[:5]}")
    if refused := {row["reason_code"] for row in compared.quarantine.to_pylist()} - {"footer"}:
        found.append(f"rows are refused: {', '.join(sorted(refused))}")
    return found


TOLD = {
    "matches": "pass, outcome, confidence, alternatives",
    "deltas": "kind, amount, currency, reason_code, confidence, day, ours_amount, theirs_amount",
}
"""What facts tell of rows without their numbers."""


def _differing(first: Any, second: Any) -> list[str]:
    """Say what another order of the rows changed."""
    import duckdb  # noqa: PLC0415

    names = ("result", "matched", "currencies", "deltas", "differences")
    before, now = first.summary, second.summary
    found = [f"{name} {before[name]} became {now[name]}" for name in names if before[name] != now[name]]
    with duckdb.connect() as con:
        for fact, columns in TOLD.items():
            con.register("before", getattr(first, fact))
            con.register("now", getattr(second, fact))
            asked = f"select {columns} from before except all select {columns} from now order by all limit 3"
            if rows := con.sql(asked).fetchall():
                found.append(f"{fact} such as {rows} became others")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run cases until the time is over and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="this case of each kind alone")
    parser.add_argument("--rows", type=int, default=40_000, help="rows a side that a case has at most")
    chosen = parser.parse_args(arguments)
    until = time.monotonic() + 60 * chosen.minutes
    ended: dict[str, Counter[str]] = {kind: Counter() for kind in chosen.kinds}
    for number in count() if chosen.case is None else [chosen.case]:
        for kind in chosen.kinds:
            case = Case(kind, chosen.seed, number, chosen.rows)
            with tempfile.TemporaryDirectory(prefix="tieout-random-") as name:
                end = run_case(case, Path(name))
                if end.how == "broken":
                    kept = DATA / f"{kind}-{case.seed}-{number}"
                    shutil.copytree(name, kept, dirs_exist_ok=True, ignore=shutil.ignore_patterns("home"))
                    print(f"{case.command}\n  {end.told}\n  its files are kept in {kept}", flush=True)
                elif chosen.case is not None:
                    print(f"{end.how} in {end.seconds:.1f} s: {end.told}")
            ended[kind][end.how] += 1
        if time.monotonic() > until:
            break
    print("| kind | cases | broken | ended |\n|---|---:|---:|---|")
    for kind, counts in ended.items():
        others = ", ".join(f"{how} {times}" for how, times in sorted(counts.items()) if how != "broken")
        print(f"| {kind} | {counts.total()} | {counts['broken']} | {others} |")
    return 1 if any(counts["broken"] for counts in ended.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
