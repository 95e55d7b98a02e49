"""The engine against the naive oracle, on thousands of seeded small worlds.

Worlds are crowded on purpose: few references, amounts, days and words, so that ties, copies, absent values, repeated
keys, groups, mixed currencies, zero and negative amounts and gaps of exactly the tolerance happen all the time. Many
worlds share one run (each with references, currencies and words of its own), some have a run to themselves.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pytest

from tests.engine.builders import NAMES, Result, Row, Side, plan_for, run, show
from tests.engine.oracle import PARTS, Truth, considered, truth
from tieout.engine.plan import Plan, Weights

MICROS = 1_000_000
FIRST_DAY = date(2026, 1, 30)
WORDS = ("acme", "q", "rent", "invoice", "no", "payout", "straße", "Café", "***", "a-1")


@dataclass(frozen=True)
class Kind:
    """What the rows of a suite look like: the columns of both sides and how to draw one row."""

    columns: tuple[str, ...]
    draw: Callable[[random.Random], Row]
    rows: int = 6
    is_unique: bool = False
    drift: float = 0.15
    splits: float = 0.05
    worlds_in_a_run: int = 120


def _amount(rnd: random.Random) -> int | None:
    units = rnd.choice(
        ("0", "5", "5", "-5", "10", "10.01", "9.99", "10.000001", "20", "20.02", "-10", "30", "11.5", "-")
    )
    return None if units == "-" else round(float(units) * MICROS)


def _day(rnd: random.Random) -> date | None:
    return None if rnd.random() < 0.05 else FIRST_DAY + timedelta(days=rnd.choice((0, 0, 0, 1, 1, 2, 3, 6)))


def _text(rnd: random.Random) -> str | None:
    if rnd.random() < 0.15:
        return None
    return " ".join(rnd.choice(WORDS) for _ in range(rnd.choice((1, 2, 2, 3))))


def _some(rnd: random.Random, *values: Any, absent: float = 0.1) -> Any:
    return None if rnd.random() < absent else rnd.choice(values)


def _by_reference(rnd: random.Random) -> Row:
    return Row(
        id=_some(rnd, "R1", "R1", "R2", "R3"),
        day=_day(rnd),
        currency=rnd.choice(("EUR", "EUR", "EUR", "USD")),
        amount=_amount(rnd),
        tax=_some(rnd, 0, 1_000_000, 1_010_000),
        due=_some(rnd, FIRST_DAY, FIRST_DAY + timedelta(days=2)),
        note=_some(rnd, "x", "y"),
    )


def _once_by_reference(rnd: random.Random) -> Row:
    return replace(_by_reference(rnd), id=_some(rnd, *[f"R{n}" for n in range(12)]), text=_some(rnd, "rent", "acme"))


def _in_parts(rnd: random.Random) -> Row:
    amount = rnd.choice((10, 10, 20, 30, 40)) * MICROS + rnd.choice((0, 0, 0, 1, 10_000))
    return Row(
        id=_some(rnd, "R1", "R2"), day=_day(rnd), currency="EUR", amount=amount, group=_some(rnd, "G1", absent=0.6)
    )


def _in_groups(rnd: random.Random) -> Row:
    return Row(
        id=_some(rnd, "R1", "R2", "R3", absent=0.5),
        group=_some(rnd, "G1", "G2", absent=0.3),
        day=_day(rnd),
        currency=rnd.choice(("EUR", "EUR", "USD")),
        amount=_amount(rnd),
        fee=_some(rnd, 0, 10_000, 20_000, 5_000_000, absent=0.4),
    )


def _alike(rnd: random.Random) -> Row:
    return Row(
        id=_some(rnd, "R1", "R2", absent=0.7),
        day=_day(rnd),
        currency="EUR",
        amount=_amount(rnd),
        text=_text(rnd),
        unit=_some(rnd, "berlin", "paris", absent=0.3),
        size=_some(rnd, "s", "m", absent=0.5),
        note=_some(rnd, "x", "y", absent=0.3),
    )


def _priced(rnd: random.Random) -> Row:
    return Row(
        id=_some(rnd, "R1", "R2", "R3", "R4", absent=0.05),
        day=_day(rnd),
        currency=rnd.choice(("EUR", "EUR", "EUR", "USD")),
        amount=_amount(rnd),
        quantity=_some(rnd, 0, MICROS, 2 * MICROS, 3 * MICROS, -MICROS, 7),
        fee=_some(rnd, 0, 10_000, 20_000, 5_000_000, -10_000),
        fx=_some(rnd, "1", "1.25", "0.8", "0.333333333", absent=0.2),
    )


def _in_a_crowd(rnd: random.Random) -> Row:
    return replace(_alike(rnd), amount=rnd.choice((5, 5, 5, 6)) * MICROS)


KEYED = ("id", "day", "currency", "amount")
KINDS = {
    "repeated references": Kind((*KEYED, "tax", "due", "note"), _by_reference, splits=0.2),
    "unique references": Kind((*KEYED, "text", "tax", "due", "note"), _once_by_reference, is_unique=True),
    "parts": Kind(("id", "group", "day", "currency", "amount"), _in_parts, rows=4, splits=0.5),
    "parts without groups": Kind(KEYED, _in_parts, rows=4, splits=0.5),
    "groups": Kind(("id", "group", "day", "currency", "amount", "fee"), _in_groups, rows=7),
    "likeness": Kind((*KEYED, "text", "unit", "size", "note"), _alike, rows=7, drift=0.3),
    "likeness without days": Kind(("currency", "amount", "text"), _alike, rows=7, drift=0.3),
    "crowds": Kind(("day", "currency", "amount", "note"), _in_a_crowd, rows=13, worlds_in_a_run=20),
    "prices": Kind((*KEYED, "quantity", "fee", "fx"), _priced, drift=0.6),
    "everything": Kind(
        NAMES, lambda rnd: replace(_priced(rnd), **_said(_alike(rnd)), group=_in_groups(rnd).group), rows=7, drift=0.4
    ),
}


def _said(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("id", "text", "unit", "size", "note")}


def _world(kind: Kind, rnd: random.Random) -> tuple[list[Row], list[Row]]:
    """Draw one world: some rows echo one of the other side, with or without a change or in two, some are alone."""
    ours = [kind.draw(rnd) for _ in range(rnd.randint(0, kind.rows))]
    theirs = []
    for _ in range(rnd.randint(0, kind.rows)):
        row = rnd.choice(ours) if ours and rnd.random() < 0.7 else kind.draw(rnd)
        other = kind.draw(rnd)
        changes = {name: getattr(other, name) for name in kind.columns if rnd.random() < kind.drift and name != "id"}
        echo = replace(row, **changes)
        theirs += _in_two(echo, rnd) if rnd.random() < kind.splits and echo.amount is not None else [echo]
    if rnd.random() < 0.5:
        ours, theirs = theirs, ours
    if kind.is_unique:
        return _once_each(ours), _once_each(theirs)
    return ours, theirs


def _in_two(row: Row, rnd: random.Random) -> list[Row]:
    """Return the row as two whose amounts sum to it, exactly or by about as much as tolerances forgive."""
    first = rnd.choice((1, 2, 5, 5)) * MICROS
    slip = rnd.choice((0, 0, 0, 1, -1, 10_000, -10_000, 20_000))
    return [replace(row, amount=first), replace(row, amount=(row.amount or 0) - first + slip)]


def _once_each(rows: list[Row]) -> list[Row]:
    seen: set[str | None] = set()
    kept = []
    for row in rows:
        kept.append(replace(row, id=None) if row.id in seen else row)
        seen.add(row.id)
    return kept


def _apart(row: Row, world: int) -> Row:
    """Return the row with references, currency and words that only its world has."""
    tag = chr(97 + world // 26) + chr(97 + world % 26)

    def own(value: str | None) -> str | None:
        return None if value is None else value + tag

    text = None if row.text is None else " ".join(word + tag if word.isalpha() else word for word in row.text.split())
    return replace(row, id=own(row.id), group=own(row.group), currency=own(row.currency or "").upper(), text=text)


def _maybe_without_currency(row: Row, rnd: random.Random) -> Row:
    return replace(row, currency=None) if rnd.random() < 0.15 else row


def _rules(rnd: random.Random) -> dict[str, Any]:
    return {
        "tolerance": rnd.choice(("0", "0", "0.01", "0.000001", "0.02")),
        "tolerance_ppm": rnd.choice((0, 0, 1_000, 999, 100_000)),
        "window_days": rnd.choice((0, 0, 1, 2, 5)),
        "weights": rnd.choice(
            (Weights(), Weights(0.3, 0.4, 0.1, 0.2), Weights(0.0, 0.5, 0.0, 0.5), Weights(1, 0, 0, 0))
        ),
        "auto_threshold": rnd.choice((0.8, 0.875, 1.0)),
        "review_threshold": rnd.choice((0.5, 0.0, 0.8, 0.75)),
        "required_margin": rnd.choice((0.0, 0.1, 0.125, 0.05)),
    }


@dataclass(frozen=True)
class Drawn:
    """What one run reconciles, and for each side the world of each row (the first is row 1, so position 0 is idle)."""

    seed: str
    ours: Side
    theirs: Side
    plan: Plan
    as_text: bool
    home: dict[str, list[int]]


def _drawn(kind: Kind, seed: str, worlds: int) -> Drawn:
    rnd = random.Random(seed)
    rows: dict[str, list[Row]] = {"ours": [], "theirs": []}
    home: dict[str, list[int]] = {"ours": [-1], "theirs": [-1]}
    as_text = rnd.random() < 0.3
    for world in range(worlds):
        for side, found in zip(("ours", "theirs"), _world(kind, rnd), strict=True):
            placed = [_apart(row, world) if worlds > 1 else _maybe_without_currency(row, rnd) for row in found]
            rows[side] += [replace(row, refused=as_text and rnd.random() < 0.03) for row in placed]
            home[side] += [world] * len(placed)
    columns = kind.columns
    if worlds == 1 and rnd.random() < 0.3:
        columns = tuple(name for name in columns if name != "currency")
    ours, theirs = (Side(tuple(rows[side]), columns) for side in ("ours", "theirs"))
    converts = [side for side in ("ours", "theirs") if "fx" in columns and rnd.random() < 0.3]
    plan = plan_for(ours, theirs, converts=converts, constant=rnd.choice(("", "EUR")), **_rules(rnd))
    return Drawn(seed, ours, theirs, plan, as_text, home)


Line = tuple[Any, ...]


def _said_by_engine(result: Result) -> dict[str, list[Line]]:
    facts = result.facts
    sides = (("ours", facts["unmatched_ours"]), ("theirs", facts["unmatched_theirs"]))
    return {
        "match": [_match_line(row) for row in facts["match"]],
        "candidate": [_candidate_line(row) for row in facts["candidate"]],
        "unmatched": [(side, row[f"{side}_row"], row["reason_code"]) for side, rows in sides for row in rows],
        "difference": [
            (row["match_id"], row["theirs_row"], row["column"], row["difference_micros"]) for row in facts["difference"]
        ],
        "delta": [_delta_line(row) for row in facts["delta"]],
        "balance": [tuple(int(v) if k != "currency" else v for k, v in row.items()) for row in facts["balance"]],
        "daily": [(row["day"], row["currency"], *[int(v) for v in list(row.values())[2:]]) for row in facts["daily"]],
    }


def _match_line(row: dict[str, Any]) -> Line:
    names = ("match_id", "ours_row", "theirs_row", "pass", "outcome", "alternatives")
    return (*(row[name] for name in names), round(row["confidence"], 9))


def _candidate_line(row: dict[str, Any]) -> Line:
    scores = [None if row[name] is None else round(row[name], 9) for name in row if name.startswith("score")]
    return (row["ours_row"], row["theirs_row"], *scores, row["chosen"])


def _delta_line(row: dict[str, Any]) -> Line:
    names = ("ours_row", "theirs_row", "kind", "amount_micros", "currency", "match_id", "reason_code", "day")
    amounts = (row["ours_amount_micros"], row["theirs_amount_micros"])
    return (*(row[n] for n in names), *amounts, round(row["confidence"], 9), *(row[f"{part}_micros"] for part in PARTS))


def _said_by_oracle(found: Truth) -> dict[str, list[Line]]:
    chosen = {(m.members[0][0].no, m.members[1][0].no) for m in found.matches if m.by == "scored"}
    return {
        "match": [
            (min(e.no for e in m.members[0]), o.no, t.no, m.by, m.outcome, m.alternatives, round(m.confidence, 9))
            for m in found.matches
            for o in m.members[0]
            for t in m.members[1]
        ],
        "candidate": [
            (
                c.ours.no,
                c.theirs.no,
                *(None if v is None else round(v, 9) for v in (c.score, c.time, c.amount, c.unit, c.text)),
                (c.ours.no, c.theirs.no) in chosen,
            )
            for c in considered(found)
        ],
        "unmatched": [("ours", *item) for item in found.lone_ours.items()]
        + [("theirs", *item) for item in found.lone_theirs.items()],
        "difference": [(d.ours_row, d.theirs_row, d.column, d.gap) for d in found.differences],
        "delta": [
            (
                *(d.ours_row, d.theirs_row, d.kind, d.amount, d.currency, d.match_id, d.reason, d.day),
                *(d.ours_amount, d.theirs_amount, round(d.confidence, 9)),
                *(d.parts.get(part, 0) for part in PARTS),
            )
            for d in found.deltas
        ],
        "balance": [(currency, *line.values()) for currency, line in found.balance.items()],
        "daily": [(*key, *line.values()) for key, line in found.daily.items()],
    }


def _complaint(drawn: Drawn, engine: dict[str, list[Line]], oracle: dict[str, list[Line]]) -> str:
    """Return what differs, with the tables of the world in which the first difference stands."""
    for fact, said in engine.items():
        extra, lacking = Counter(said) - Counter(oracle[fact]), Counter(oracle[fact]) - Counter(said)
        if not extra and not lacking:
            continue
        world = _world_of(fact, next(iter((extra or lacking).keys())), drawn.home)
        keep = {
            side: None if world is None else [n for n, at in enumerate(numbers) if at == world]
            for side, numbers in drawn.home.items()
        }
        return (
            f"seed {drawn.seed!r}: {fact} differs\n"
            f"  engine only: {sorted(extra, key=repr)[:5]}\n  oracle only: {sorted(lacking, key=repr)[:5]}\n"
            f"{drawn.plan.rules}, converts {drawn.plan.ours.converts} {drawn.plan.theirs.converts}\n"
            f"OURS\n{show(drawn.ours, keep['ours'])}\nTHEIRS\n{show(drawn.theirs, keep['theirs'])}"
        )
    return ""


def _world_of(fact: str, line: Line, home: dict[str, list[int]]) -> int | None:
    if fact == "unmatched":
        return home[line[0]][line[1]]
    if fact == "match":
        return home["ours"][line[1]]
    if fact == "delta" and line[0] is None:
        return home["theirs"][line[1]]
    return home["ours"][line[0]] if isinstance(line[0], int) else None


def _compare(drawn: Drawn) -> None:
    engine = _said_by_engine(run(drawn.ours, drawn.theirs, drawn.plan, as_text=drawn.as_text))
    oracle = _said_by_oracle(truth(drawn.ours, drawn.theirs, drawn.plan))
    complaint = _complaint(drawn, engine, oracle)
    assert not complaint, complaint


@pytest.mark.parametrize("turn", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_worlds_that_share_a_run_come_out_as_the_oracle_says(kind: str, turn: int) -> None:
    _compare(_drawn(KINDS[kind], f"{kind}/{turn}", KINDS[kind].worlds_in_a_run))


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_a_world_alone_comes_out_as_the_oracle_says(kind: str, turn: int) -> None:
    _compare(_drawn(KINDS[kind], f"{kind}/alone/{turn}", 1))


def test_the_worlds_hold_every_kind_of_outcome() -> None:
    """What never occurs is not compared, so the worlds must show each kind, reason, pass, part and near miss."""
    seen: Counter[str] = Counter()
    for name, kind in KINDS.items():
        for turn in range(2):
            drawn = _drawn(kind, f"{name}/{turn}", kind.worlds_in_a_run)
            found = truth(drawn.ours, drawn.theirs, drawn.plan)
            seen.update(delta.kind for delta in found.deltas)
            seen.update(delta.reason.split(":")[0] for delta in found.deltas)
            seen.update(part for delta in found.deltas for part, amount in delta.parts.items() if amount)
            seen.update(f"{match.by} {match.outcome}" for match in found.matches)
            seen.update(f"differs in {difference.column}" for difference in found.differences)
            seen.update("tolerated" for line in found.balance.values() if line["tolerated"])
    assert {name for name, count in seen.items() if count >= 5} >= {
        *("underpay", "overpay", "missing", "unexpected", "duplicate"),
        *("timing_lag", "currency_mismatch", "value_mismatch"),
        *("not_reported", "not_expected", "copy_on_our_side", "copy_on_their_side", "amount_absent"),
        *("within_window_of_end", "within_window_of_start", "amount_differs", "sign_differs"),
        *("amount_missing_ours", "amount_missing_theirs", "currency_differs", "columns"),
        *("group_sum_differs", "group_sum_incomplete"),
        *(part for part in PARTS if part != "timing"),
        *("reference auto", "group auto", "scored auto", "scored review", "tolerated"),
        *("differs in amount", "differs in tax", "differs in due", "differs in note"),
    }
