"""The smallest change once more, naive: every pair of unmatched rows, every kind of change, one after another.

A change is certain when no other row that no reference paired, matched or not, would be as good a partner of either
row after it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

from tests.engine.builders import Result, Row, Side, connection
from tieout.engine.plan import Plan
from tieout.engine.why_not import KINDS


@dataclass(frozen=True)
class Change:
    """What would match a row, how much of it, and whether that is certain (None: two candidates are as good)."""

    kind: str
    size: int
    is_certain: bool | None


@dataclass(frozen=True)
class World:
    """All rows of both sides by number, those that no reference paired, and the score of each candidate."""

    rows: dict[str, dict[int, Row]]
    free: dict[str, dict[int, Row]]
    lone: dict[str, dict[int, str]]
    scores: dict[tuple[int, int], float]
    plan: Plan


def plain_reference(ref: str) -> str:
    bare = "".join(c for c in unicodedata.normalize("NFD", ref) if not unicodedata.combining(c)).lower()
    return re.sub(r"(^|\D)0+(\d)", r"\1\2", re.sub(r"[^a-z0-9]+", "", bare))


def edits(ours: str, theirs: str) -> int:
    """Return how many characters to insert, drop, replace or exchange with their neighbour."""
    far = {(i, -1): i + 1 for i in range(-1, len(ours))} | {(-1, j): j + 1 for j in range(-1, len(theirs))}
    for i, j in product(range(len(ours)), range(len(theirs))):
        far[i, j] = min(far[i - 1, j] + 1, far[i, j - 1] + 1, far[i - 1, j - 1] + (ours[i] != theirs[j]))
        if i and j and ours[i] == theirs[j - 1] and ours[i - 1] == theirs[j]:
            far[i, j] = min(far[i, j], far[i - 2, j - 2] + 1)
    return far[len(ours) - 1, len(theirs) - 1]


def likeness(ours: Row, theirs: Row, plan: Plan) -> float:
    """Return the weighted score of a pair."""
    lag = abs((ours.day - theirs.day).days) if ours.day and theirs.day else None
    parts: list[tuple[float, float]] = []
    weights = plan.rules.weights
    if lag is not None:
        parts.append((weights.time, 1 / (1 + lag / plan.rules.lag_half_days)))
    if ours.amount is not None and theirs.amount is not None:
        gap = abs(ours.amount - theirs.amount)
        alike = 1.0 if not gap else max(0.0, 0.9 - 5.4 * gap / max(abs(ours.amount), abs(theirs.amount)))
        parts.append((weights.amount, alike))
    if ours.unit and theirs.unit:
        parts.append((weights.unit, float(ours.unit == theirs.unit)))
    if ours.text and theirs.text:
        ordered = [" ".join(sorted(set(text.split()))) for text in (ours.text, theirs.text)]
        alike = max(_spelling(ours.text, theirs.text), _spelling(*ordered))
        parts.append((weights.text, max(0.0, 2 * alike - 1)))
    total = sum(weight for weight, _ in parts)
    return round(sum(weight * value for weight, value in parts) / total, 9) if total else 0.0


@cache
def _spelling(ours: str, theirs: str) -> float:
    return connection().execute("select jaro_winkler_similarity(?, ?)", [ours, theirs]).fetchall()[0][0]


def smallest_changes(ours: Side, theirs: Side, plan: Plan, result: Result) -> dict[tuple[str, int], list[Change]]:
    """Return for each unmatched row what may be its smallest change: none, one, or more where it hangs on a tie."""
    world = _world_of(ours, theirs, plan, result)
    found = {}
    for side, other in (("ours", "theirs"), ("theirs", "ours")):
        for number in world.lone[side]:
            changes = sorted(
                (change for partner in world.lone[other] for change in _changes(world, side, number, other, partner)),
                key=lambda change: (KINDS.index(change.kind), change.size),
            )
            certain = [change for change in changes if change.is_certain]
            maybe = [change for change in changes if change.is_certain is None]
            found[side, number] = [*certain[:1], *maybe] or changes[:1]
            if not certain:
                found[side, number] += changes[:1]
    return found


def _world_of(ours: Side, theirs: Side, plan: Plan, result: Result) -> World:
    rows = {name: dict(enumerate(side.rows, start=1)) for name, side in (("ours", ours), ("theirs", theirs))}
    by_reference = [line for line in result.facts["match"] if line["pass"] in ("reference", "group")]
    return World(
        rows,
        {
            side: {n: row for n, row in of_side.items() if n not in {line[f"{side}_row"] for line in by_reference}}
            for side, of_side in rows.items()
        },
        {
            side: {line[f"{side}_row"]: line["reason_code"] for line in result.facts[f"unmatched_{side}"]}
            for side in rows
        },
        {(line["ours_row"], line["theirs_row"]): line["score"] for line in result.facts["candidate"]},
        plan,
    )


def _changes(world: World, side: str, number: int, other: str, partner: int) -> Iterator[Change]:
    row, met = world.rows[side][number], world.rows[other][partner]
    if row.id and met.id:
        yield from _by_reference(world, side, number, other, partner)
        return
    pair = (number, partner) if side == "ours" else (partner, number)
    score, threshold = world.scores.get(pair), world.plan.rules.review_threshold
    if score is not None and score < threshold <= score * 2 and (is_first := _is_first(world, pair)) is not False:
        yield Change("review_threshold", round((threshold - score) * 1_000_000), is_first)
    for kind, size, changed, plan in _by_likeness(world, row, met, score):
        if likeness(*_as_pair(side, changed, met), plan) >= threshold:
            yield Change(kind, size, _is_certain(world, side, number, changed, other, partner, plan))


def _as_pair(side: str, row: Row, met: Row) -> tuple[Row, Row]:
    return (row, met) if side == "ours" else (met, row)


def _is_first(world: World, pair: tuple[int, int]) -> bool | None:
    """Say whether either row of a candidate prefers the other to all that are unmatched."""
    others = [
        score
        for one, score in world.scores.items()
        if one != pair
        and (one[0] == pair[0] or one[1] == pair[1])
        and one[0] in world.lone["ours"]
        and one[1] in world.lone["theirs"]
    ]
    best = max(others, default=0.0)
    return None if best == world.scores[pair] else best < world.scores[pair]


def _is_certain(world: World, side: str, number: int, changed: Row, other: str, partner: int, plan: Plan) -> bool:
    met = world.rows[other][partner]
    reached = likeness(*_as_pair(side, changed, met), plan)
    rivals = [_as_pair(side, changed, row) for n, row in world.free[other].items() if n != partner]
    rivals += [_as_pair(side, row, met) for n, row in world.free[side].items() if n != number]
    return not any(_could_pair(*pair, plan) and likeness(*pair, plan) >= reached for pair in rivals)


def _could_pair(ours: Row, theirs: Row, plan: Plan) -> bool:
    assert ours.day
    assert theirs.day
    assert ours.amount is not None
    assert theirs.amount is not None
    is_near = abs((ours.day - theirs.day).days) <= plan.rules.window_days
    gap, larger = abs(ours.amount - theirs.amount), max(abs(ours.amount), abs(theirs.amount))
    is_alike = gap * 6 <= larger or ours.amount == -theirs.amount or bool(_words(ours) & _words(theirs))
    return is_near and is_alike and ours.currency == theirs.currency and not (ours.id and theirs.id)


def _words(row: Row) -> set[str]:
    return set((row.text or "").split())


def _by_reference(world: World, side: str, number: int, other: str, partner: int) -> Iterator[Change]:
    row, met = world.rows[side][number], world.rows[other][partner]
    assert row.id
    assert met.id
    if [one.id for one in (*world.rows["ours"].values(), *world.rows["theirs"].values())].count(met.id) > 1:
        return
    characters = edits(row.id, met.id)
    is_equal = row.amount == met.amount and row.currency == met.currency
    is_near = not row.day or not met.day or abs((row.day - met.day).days) <= world.plan.rules.window_days
    if plain_reference(row.id) == plain_reference(met.id):
        yield Change("reference_form", characters, is_certain=True)
    elif is_equal and characters <= max(1, max(len(row.id), len(met.id)) // 3):
        yield Change("reference", characters, is_certain=True)
    elif is_equal and is_near and world.lone[side][number] != "duplicate":
        yield Change("other_reference", characters, is_certain=True)


def _by_likeness(world: World, row: Row, met: Row, score: float | None) -> Iterator[tuple[str, int, Row, Plan]]:
    plan = world.plan
    assert row.day
    assert met.day
    assert row.amount is not None
    assert met.amount is not None
    lag, gap = abs((row.day - met.day).days), abs(row.amount - met.amount)
    is_near, is_one_currency = lag <= plan.rules.window_days, row.currency == met.currency
    if is_one_currency and not gap and not is_near:
        if lag <= plan.rules.window_days + 31:
            wider = replace(plan, rules=replace(plan.rules, window_days=lag))
            yield "window_days", lag - plan.rules.window_days, row, wider
        yield "date", lag, replace(row, day=met.day), plan
    if not is_one_currency and not gap and lag == 0:
        yield "currency", 0, replace(row, currency=met.currency), plan
    if is_one_currency and gap and is_near:
        kind = _kind_of_gap(row.amount, met.amount)
        is_small = gap * 2 <= max(abs(row.amount), abs(met.amount))
        if kind != "amount" or (is_small and (score is not None or _words(row) & _words(met))):
            yield kind, gap, replace(row, amount=met.amount), plan
    is_told = is_one_currency and not gap and is_near and score is not None and score < plan.rules.review_threshold
    if is_told and row.text and met.text and _plain(row.text) != _plain(met.text):
        yield "text", _edits_of_text(row.text, met.text), replace(row, text=met.text), plan


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


@cache
def _edits_of_text(ours: str, theirs: str) -> int:
    return connection().execute("select levenshtein(?, ?)", [ours, theirs]).fetchall()[0][0]


def _kind_of_gap(ours: int, theirs: int) -> str:
    one, other = str(abs(ours)), str(abs(theirs))
    apart = [i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b]
    is_swapped = (
        (ours > 0) == (theirs > 0)
        and len(one) == len(other)
        and len(apart) == 2
        and apart[1] == apart[0] + 1
        and one[apart[0]] == other[apart[1]]
        and one[apart[1]] == other[apart[0]]
    )
    return "amount_digits" if is_swapped else "amount_sign" if ours == -theirs else "amount"
