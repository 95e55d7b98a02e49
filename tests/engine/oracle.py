"""The leg once more, naive and obviously right: loops over lists, whole numbers of micros, one rule after the other.

Nothing here is fast and nothing is shared with the engine except the plan. DuckDB is asked for one thing only: how
alike two texts are (Jaro-Winkler).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests.engine.builders import KINDS, Row, Side, connection
from tieout.engine.plan import Plan, Rules, SidePlan

NANOS = 1_000_000_000
SAME_RATE = NANOS
LARGEST_PART = 10**18
PARTS = ("rate", "volume", "fx", "timing", "fee", "duplicate", "missing", "unexpected", "unexplained")


@dataclass(frozen=True)
class Entry:
    """One row as the leg sees it."""

    no: int
    ref: str | None
    group: str | None
    day: date | None
    currency: str
    amount: int | None
    quantity: int | None
    fee: int | None
    fx: int | None
    text: str | None
    units: tuple[str | None, ...]
    compared: tuple[Any, ...]
    content: tuple[Any, ...]

    @property
    def plain_text(self) -> str | None:
        """The text in lower case without accents and punctuation, single blanks."""
        if self.text is None:
            return None
        bare = "".join(c for c in unicodedata.normalize("NFD", self.text) if not unicodedata.combining(c))
        return " ".join(re.findall(r"[^\W_]+", bare.lower()))

    @property
    def words(self) -> list[str]:
        return sorted(set((self.plain_text or "").split()))


@dataclass(frozen=True)
class Candidate:
    ours: Entry
    theirs: Entry
    score: float
    time: float | None
    amount: float | None
    unit: float | None
    text: float | None


@dataclass(frozen=True)
class Match:
    members: tuple[tuple[Entry, ...], tuple[Entry, ...]]
    by: str
    outcome: str = "auto"
    confidence: float = 1.0
    alternatives: int = 0


@dataclass(frozen=True)
class Delta:
    kind: str
    amount: int | None
    currency: str
    match_id: int | None
    ours_row: int | None
    theirs_row: int | None
    reason: str
    confidence: float
    day: date | None
    ours_amount: int | None
    theirs_amount: int | None
    parts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    ours_row: int
    theirs_row: int
    column: str
    gap: int | None


@dataclass
class Truth:
    """Everything that a run must say."""

    matches: list[Match]
    equals: list[Candidate]
    candidates: list[Candidate]
    lone_ours: dict[int, str]
    lone_theirs: dict[int, str]
    differences: list[Difference]
    deltas: list[Delta]
    balance: dict[str, dict[str, int]]
    daily: dict[tuple[date | None, str], dict[str, int]]


def truth(ours: Side, theirs: Side, plan: Plan) -> Truth:
    """Reconcile both sides by the book."""
    expected = _entries(ours, plan.ours, plan)
    reported = _entries(theirs, plan.theirs, plan)
    pairs, parted = _pairs_by_reference(expected, reported, plan.rules)
    matches = [Match(((o,), (t,)), "reference") for o, t in pairs]
    open_ours, open_theirs = _without(expected, matches, 0), _without(reported, matches, 1)
    has_group = bool(plan.ours.group and plan.theirs.group)
    matches += _groups(open_ours, open_theirs, parted, has_group=has_group)
    open_ours, open_theirs = _without(expected, matches, 0), _without(reported, matches, 1)
    if has_group:
        open_ours, open_theirs = _bound_by_group(open_ours), _bound_by_group(open_theirs)
    equals, copies = _equals(open_ours, open_theirs, plan)
    matches += [_match_of_equals(c, plan.rules) for c in equals]
    candidates = _candidates(_without(open_ours, matches, 0), _without(open_theirs, matches, 1), plan) + copies
    matches += _scored(candidates, matches, plan.rules)
    lone_ours = _lone(expected, matches, 0, _days(reported), plan.rules)
    lone_theirs = _lone(reported, matches, 1, _days(expected), plan.rules)
    differences = [difference for match in matches if match.by != "group" for difference in _differences(match, plan)]
    deltas, tolerated = _deltas(matches, differences, plan.rules)
    for side, lone, is_ours in ((expected, lone_ours, True), (reported, lone_theirs, False)):
        turned = _reversed([e for e in side if lone.get(e.no, "duplicate") != "duplicate"])
        deltas += [
            _lone_delta(e, lone[e.no], is_reversed=e.no in turned, is_ours=is_ours) for e in side if e.no in lone
        ]
    balance = _balance(expected, reported, deltas, tolerated)
    daily = _daily(expected, reported, deltas, lone_ours, lone_theirs)
    return Truth(matches, equals, candidates, lone_ours, lone_theirs, differences, deltas, balance, daily)


# Rows


def _entries(side: Side, side_plan: SidePlan, plan: Plan) -> list[Entry]:
    rows = [(no, row) for no, row in enumerate(side.rows, start=1) if not row.refused]
    return [_entry(no, row, side, side_plan, plan) for no, row in rows]


def _entry(no: int, row: Row, side: Side, side_plan: SidePlan, plan: Plan) -> Entry:
    def role(name: str | None) -> Any:
        return getattr(row, name) if name else None

    fx = None if role(side_plan.fx_rate) is None else int(Decimal(role(side_plan.fx_rate)) * NANOS)
    amount = role(side_plan.amount[0].column if side_plan.amount else None)
    if side_plan.converts:
        amount = None if amount is None or fx is None else _half_away(amount * fx, NANOS)
    return Entry(
        no=no,
        ref=role("id" if side_plan.key else None),
        group=role("group" if side_plan.group else None),
        day=role(side_plan.date),
        currency=role(side_plan.currency) or side_plan.currency_constant,
        amount=amount,
        quantity=role(side_plan.quantity),
        fee=role(side_plan.fee),
        fx=fx,
        text=role("text" if side_plan.text else None),
        units=tuple(None if role(name) is None else role(name).strip().lower() for name in side_plan.units),
        compared=tuple(role(item.name) for item in plan.compared),
        content=tuple(getattr(row, name) for name in side.columns),
    )


def _days(entries: Sequence[Entry]) -> list[date]:
    return [entry.day for entry in entries if entry.day is not None]


def _without(entries: Sequence[Entry], matches: Sequence[Match], side: int) -> list[Entry]:
    taken = {entry.no for match in matches for entry in match.members[side]}
    return [entry for entry in entries if entry.no not in taken]


def _in_order(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return a sort key in which what is not there comes last, at any depth."""
    return tuple(
        (1, 0) if value is None else (0, _in_order(value) if isinstance(value, tuple) else value) for value in values
    )


def _half_away(numerator: int, denominator: int) -> int:
    whole = (abs(numerator) + denominator // 2) // denominator
    return whole if numerator >= 0 else -whole


def _toward_zero(numerator: int, denominator: int) -> int:
    whole = abs(numerator) // abs(denominator)
    return whole if (numerator >= 0) == (denominator >= 0) else -whole


def tolerated_gap(rules: Rules, expected: int) -> int:
    """Return the largest gap that is forgiven: the larger of both tolerances."""
    return max(rules.tolerance_micros, abs(expected) * rules.tolerance_ppm // 1_000_000)


# The pass by reference


def _pairs_by_reference(
    ours: list[Entry], theirs: list[Entry], rules: Rules
) -> tuple[list[tuple[Entry, Entry]], set[tuple[str, str]]]:
    """Return the pairs, and the (reference, currency) that were left to the group pass."""
    pairs: list[tuple[Entry, Entry]] = []
    parted: set[tuple[str, str]] = set()
    for ref in sorted({e.ref for e in ours if e.ref is not None} & {e.ref for e in theirs if e.ref is not None}):
        left, right = [e for e in ours if e.ref == ref], [e for e in theirs if e.ref == ref]
        if len(left) == len(right) == 1:
            pairs.append((left[0], right[0]))
            continue
        for alike in (
            lambda e: (e.currency, e.amount, e.day, e.compared),
            lambda e: (e.currency, e.amount, e.day),
            lambda e: (e.currency, e.amount),
        ):
            pairs += _zip_equal(left, right, alike)
        whole = {currency for currency in {e.currency for e in left} if _ties_in_sum(left, right, currency, rules)}
        parted |= {(ref, currency) for currency in whole}
        left, right = [e for e in left if e.currency not in whole], [e for e in right if e.currency not in whole]
        pairs += _pair_nearest(left, right)
        pairs += _zip_equal(left, right, lambda e: e.currency)
        pairs += _zip_equal(left, right, lambda _: ())
    return pairs, parted


def _by_content(entry: Entry) -> tuple[Any, ...]:
    return _in_order((entry.currency, entry.amount, entry.day, entry.compared, entry.content, entry.no))


def _zip_equal(left: list[Entry], right: list[Entry], alike: Callable[[Entry], Any]) -> list[tuple[Entry, Entry]]:
    """Take out of both lists the pairs of rows that `alike` calls the same, each list in order of content."""
    pairs = []
    for one in sorted(left, key=_by_content):
        same = [other for other in sorted(right, key=_by_content) if alike(other) == alike(one)]
        if same:
            pairs.append((one, same[0]))
            right.remove(same[0])
    for one, _ in pairs:
        left.remove(one)
    return pairs


def _pair_nearest(left: list[Entry], right: list[Entry]) -> list[tuple[Entry, Entry]]:
    """Take out of both lists, again and again, the two rows of one currency whose amounts are nearest."""
    pairs = []
    while True:
        found = [
            (abs(o.amount - t.amount), _by_content(o), _by_content(t), o, t)
            for o in left
            for t in right
            if o.currency == t.currency and o.amount is not None and t.amount is not None
        ]
        if not found:
            return pairs
        *_, one, other = min(found, key=lambda item: item[:3])
        pairs.append((one, other))
        left.remove(one)
        right.remove(other)


def _ties_in_sum(left: list[Entry], right: list[Entry], currency: str, rules: Rules) -> bool:
    ours = [e.amount for e in left if e.currency == currency]
    theirs = [e.amount for e in right if e.currency == currency]
    if not ours or not theirs or len(ours) == len(theirs) or None in ours + theirs:
        return False
    return abs(sum(ours) - sum(theirs)) <= tolerated_gap(rules, sum(ours))


# The pass by group


def _groups(ours: list[Entry], theirs: list[Entry], parted: set[tuple[str, str]], *, has_group: bool) -> list[Match]:
    groups: dict[Any, tuple[list[Entry], list[Entry]]] = defaultdict(lambda: ([], []))
    for side, entries in ((0, ours), (1, theirs)):
        for entry in entries:
            if (entry.ref, entry.currency) in parted:
                groups["reference", entry.ref, entry.currency][side].append(entry)
            elif has_group and entry.group is not None:
                groups["group", entry.group, entry.currency][side].append(entry)
    return [Match((tuple(left), tuple(right)), "group") for left, right in groups.values() if left and right]


def _bound_by_group(entries: list[Entry]) -> list[Entry]:
    """A row that names a group is as bound as one that names a reference: likeness does not pair it with another."""
    return [entry if entry.ref is not None else replace(entry, ref=entry.group) for entry in entries]


# The pass by likeness


def _is_scored(plan: Plan) -> bool:
    return bool(plan.ours.amount and plan.theirs.amount) or bool(plan.ours.text and plan.theirs.text)


def _equals(ours: list[Entry], theirs: list[Entry], plan: Plan) -> tuple[list[Candidate], list[Candidate]]:
    """Return the pairs of equal rows, and the copies left over, each with the first of the other side's copies."""
    if not _is_scored(plan) or plan.rules.review_threshold > 1:
        return [], []
    pairs: list[tuple[Entry, Entry]] = []
    copies: list[tuple[Entry, Entry]] = []
    for said in {_all_said(e) for e in ours if e.amount is not None}:
        left, right = (
            sorted([e for e in side if _all_said(e) == said], key=_without_reference_first) for side in (ours, theirs)
        )
        met = [(o, t) for o, t in zip(left, right, strict=False) if o.ref is None or t.ref is None]
        over = [(o, right[0]) for o in left if o not in [one for one, _ in met] and right]
        over += [(left[0], t) for t in right if t not in [other for _, other in met]]
        pairs += met
        copies += [(o, t) for o, t in over if o.ref is None or t.ref is None]
    likeness = {(text, text): 1.0 for text in {o.plain_text for o, _ in pairs + copies}}
    scored = [[_score(o, t, likeness, plan.rules) for o, t in found] for found in (pairs, copies)]
    return tuple([c for c in found if c is not None] for found in scored)  # type: ignore[return-value]


def _all_said(entry: Entry) -> tuple[Any, ...]:
    return (*_evidence(entry)[:-1], entry.compared)


def _without_reference_first(entry: Entry) -> tuple[Any, ...]:
    return (entry.ref is not None, entry.ref or "", _in_order((entry.content, entry.no)))


def _match_of_equals(pair: Candidate, rules: Rules) -> Match:
    return Match(((pair.ours,), (pair.theirs,)), "scored", "auto" if rules.auto_threshold <= 1 else "review")


def _candidates(ours: list[Entry], theirs: list[Entry], plan: Plan) -> list[Candidate]:
    if not _is_scored(plan):
        return []
    rare = _rare_words(ours, theirs)
    by_currency = defaultdict(list)
    for entry in theirs:
        by_currency[entry.currency].append(entry)
    pairs = [(o, t) for o in ours for t in by_currency[o.currency] if _is_worth_scoring(o, t, rare, plan.rules)]
    likeness = _text_likeness({(o.plain_text, t.plain_text, tuple(o.words), tuple(t.words)) for o, t in pairs})
    found = [_score(o, t, likeness, plan.rules) for o, t in pairs]
    return [candidate for candidate in found if candidate is not None]


def _rare_words(ours: list[Entry], theirs: list[Entry]) -> set[str]:
    left = Counter(word for entry in ours for word in entry.words)
    right = Counter(word for entry in theirs for word in entry.words)
    return {word for word in left if len(word) >= 3 and left[word] <= 5 and 1 <= right[word] <= 5}


def _is_worth_scoring(ours: Entry, theirs: Entry, rare: set[str], rules: Rules) -> bool:
    if ours.ref is not None and theirs.ref is not None:
        return False
    if ours.day is not None and theirs.day is not None and abs((ours.day - theirs.day).days) > rules.window_days:
        return False
    if rare & set(ours.words) & set(theirs.words):
        return True
    if ours.amount is None or theirs.amount is None:
        return False
    if abs(ours.amount) == abs(theirs.amount):
        return True
    is_near = abs(ours.amount - theirs.amount) * 6 <= max(abs(ours.amount), abs(theirs.amount))
    return is_near and (
        not ours.plain_text or not theirs.plain_text or _initials(ours.plain_text) == _initials(theirs.plain_text)
    )


def _initials(text: str) -> list[str]:
    return [word[0] for word in text.split()[:2]]


def _text_likeness(pairs: set[Any]) -> dict[tuple[str | None, str | None], float | None]:
    """Return for each pair of texts the better of its likeness as it stands and with its words in order."""
    asked = sorted((a, b, " ".join(v), " ".join(w)) for a, b, v, w in pairs if a and b)
    answers = connection().execute(
        "select greatest(jaro_winkler_similarity(a, b), jaro_winkler_similarity(v, w)) from"
        " (select unnest(?::varchar[]) a, unnest(?::varchar[]) b, unnest(?::varchar[]) v, unnest(?::varchar[]) w)",
        [list(column) for column in zip(*asked, strict=True)] if asked else [[], [], [], []],
    )
    return {(a, b): found for (a, b, _, _), (found,) in zip(asked, answers.fetchall(), strict=True)}


def _score(ours: Entry, theirs: Entry, likeness: dict[Any, Any], rules: Rules) -> Candidate | None:
    time = amount = unit = text = None
    if ours.day is not None and theirs.day is not None:
        time = 1 / (1 + abs((ours.day - theirs.day).days) / rules.lag_half_days)
    if ours.amount is not None and theirs.amount is not None:
        gap = abs(ours.amount - theirs.amount)
        largest = max(abs(ours.amount), abs(theirs.amount))
        amount = 1.0 if gap == 0 else max(0.0, 0.9 - 5.4 * gap / largest)
    hints = [(o, t) for o, t in zip(ours.units, theirs.units, strict=False) if o is not None and t is not None]
    if hints:
        unit = sum(o == t for o, t in hints) / len(hints)
    if ours.plain_text and theirs.plain_text:
        text = max(0.0, 2 * likeness[ours.plain_text, theirs.plain_text] - 1)
    weights = rules.weights
    evidence = ((weights.time, time), (weights.amount, amount), (weights.unit, unit), (weights.text, text))
    present = [(weight, value) for weight, value in evidence if value is not None]
    total = sum(weight for weight, _ in present)
    if not total:
        return None
    mean = sum(weight * value for weight, value in present) / total
    return Candidate(ours, theirs, _nine_places(mean), time, amount, unit, text)


def _nine_places(value: float) -> float:
    return math.floor(value * 1e9 + 0.5) / 1e9


def _evidence(entry: Entry) -> tuple[Any, ...]:
    return (entry.day, entry.currency, entry.amount, entry.plain_text, entry.units, entry.ref)


def _copy_numbers(entries: Iterable[Entry]) -> dict[int, int]:
    """Number the rows of equal evidence by the rest of their content."""
    numbers: dict[int, int] = {}
    seen: Counter[Any] = Counter()
    distinct = {entry.no: entry for entry in entries}.values()
    for entry in sorted(distinct, key=lambda e: _in_order((e.compared, e.content, e.no))):
        seen[_evidence(entry)] += 1
        numbers[entry.no] = seen[_evidence(entry)]
    return numbers


def _preferred(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates from the best to the worst; copies meet copy for copy."""
    ours_copy = _copy_numbers(c.ours for c in candidates)
    theirs_copy = _copy_numbers(c.theirs for c in candidates)

    def key(c: Candidate) -> tuple[Any, ...]:
        gap = None if c.amount is None else abs((c.ours.amount or 0) - (c.theirs.amount or 0))
        lag = None if c.time is None else abs((c.ours.day - c.theirs.day).days)
        nth, other = ours_copy[c.ours.no], theirs_copy[c.theirs.no]
        disagrees = (c.ours.amount, c.ours.compared) != (c.theirs.amount, c.theirs.compared)
        return _in_order(
            (-c.score, gap, lag, disagrees, _evidence(c.ours), _evidence(c.theirs), abs(nth - other), nth, other)
        )

    return sorted(candidates, key=key)


def considered(found: Truth) -> list[Candidate]:
    """Return the candidates that the run keeps: the five best of each row of either side, and the chosen ones."""
    chosen = {(m.members[0][0].no, m.members[1][0].no) for m in found.matches if m.by == "scored"}
    ours: Counter[int] = Counter()
    theirs: Counter[int] = Counter()
    kept = []
    for candidate in _preferred(found.candidates):
        ours[candidate.ours.no] += 1
        theirs[candidate.theirs.no] += 1
        is_chosen = (candidate.ours.no, candidate.theirs.no) in chosen
        if is_chosen or min(ours[candidate.ours.no], theirs[candidate.theirs.no]) <= 5:
            kept.append(candidate)
    return kept + found.equals


def _scored(candidates: Sequence[Candidate], settled: Sequence[Match], rules: Rules) -> list[Match]:
    """Pair, round after round, the rows that prefer each other to all that are still free."""
    ranked = _preferred(candidates)
    matches = []
    ours, theirs = ({e.no for match in settled for e in match.members[side]} for side in (0, 1))
    free = [c for c in ranked if Decimal(str(c.score)) >= Decimal(str(rules.review_threshold))]
    free = [c for c in free if c.ours.no not in ours and c.theirs.no not in theirs]
    while free:
        chosen = [
            c
            for c in free
            if c is next(x for x in free if x.ours.no == c.ours.no)
            and c is next(x for x in free if x.theirs.no == c.theirs.no)
        ]
        matches += [_scored_match(c, free, candidates, rules) for c in chosen]
        ours, theirs = {c.ours.no for c in chosen}, {c.theirs.no for c in chosen}
        free = [c for c in free if c.ours.no not in ours and c.theirs.no not in theirs]
    return matches


def _scored_match(chosen: Candidate, free: Sequence[Candidate], candidates: Sequence[Candidate], rules: Rules) -> Match:
    rivals = [
        c.score
        for c in free
        if (c.ours is chosen.ours and _evidence(c.theirs) != _evidence(chosen.theirs))
        or (c.theirs is chosen.theirs and _evidence(c.ours) != _evidence(chosen.ours))
    ]
    score = Decimal(str(chosen.score))
    margin = score - Decimal(str(max(rivals, default=0)))
    is_clear = margin >= Decimal(str(rules.required_margin)) and score >= Decimal(str(rules.auto_threshold))
    others = [c for c in candidates if (c.ours is chosen.ours) != (c.theirs is chosen.theirs)]
    alternatives = sum(Decimal(str(c.score)) >= Decimal(str(rules.review_threshold)) for c in others)
    outcome = "auto" if is_clear else "review"
    return Match(((chosen.ours,), (chosen.theirs,)), "scored", outcome, chosen.score, alternatives)


# Rows that are left alone


def _lone(
    entries: list[Entry], matches: list[Match], side: int, other_days: list[date], rules: Rules
) -> dict[int, str]:
    """Return what each row is that no pass matched; of copies the first by day and content is no copy."""
    alone = _without(entries, matches, side)
    numbers = {entry.no for entry in alone}
    matched = [entry for entry in entries if entry.no not in numbers]
    found: dict[int, str] = {}
    seen: set[Any] = {(e.ref, e.currency, e.amount) for e in matched if e.ref is not None}
    plain = {(e.day, e.currency, e.amount, e.text) for e in matched if e.ref is None}
    for entry in sorted(alone, key=lambda e: _in_order((e.day, e.content, e.no))):
        if entry.ref is not None:
            is_copy = (entry.ref, entry.currency, entry.amount) in seen
            seen.add((entry.ref, entry.currency, entry.amount))
        else:
            is_known = None not in (entry.day, entry.amount, entry.text)
            is_copy = is_known and (entry.day, entry.currency, entry.amount, entry.text) in plain
        if is_copy:
            found[entry.no] = "duplicate"
        elif _partner_may_lie_beyond(entry, side, rules, other_days):
            found[entry.no] = "timing_lag"
        else:
            found[entry.no] = ("missing", "unexpected")[side]
    return found


def _partner_may_lie_beyond(entry: Entry, side: int, rules: Rules, other_days: list[date]) -> bool:
    """Say whether a row is so near the end of theirs, or the start of ours, that its partner may lie beyond it."""
    if not rules.window_days or entry.day is None or not other_days:
        return False
    window = timedelta(days=rules.window_days)
    if side == 0:
        return max(other_days) - window < entry.day <= max(other_days) + window
    return min(other_days) - window <= entry.day < min(other_days) + window


# Differences and deltas


def _differences(match: Match, plan: Plan) -> list[Difference]:
    ((ours,), (theirs,)) = match.members
    rules = plan.rules
    found = []
    if plan.ours.amount or plan.theirs.amount:
        gap = (ours.amount or 0) - (theirs.amount or 0)
        is_over = abs(gap) > tolerated_gap(rules, ours.amount or 0)
        is_gone = (ours.amount is None) != (theirs.amount is None)
        if ours.currency != theirs.currency or is_over or is_gone:
            is_known = ours.amount is not None and theirs.amount is not None
            found.append(Difference(ours.no, theirs.no, "amount", gap if is_known else None))
    for item, left, right in zip(plan.compared, ours.compared, theirs.compared, strict=True):
        if left == right:
            continue
        is_known = left is not None and right is not None
        if KINDS[item.name] == "number":
            if not is_known or abs(left - right) > tolerated_gap(rules, left):
                found.append(Difference(ours.no, theirs.no, item.name, left - right if is_known else None))
        elif KINDS[item.name] == "date":
            if not is_known or abs((left - right).days) > rules.window_days:
                found.append(Difference(ours.no, theirs.no, item.name, None))
        else:
            found.append(Difference(ours.no, theirs.no, item.name, None))
    return found


def _deltas(
    matches: list[Match], differences: list[Difference], rules: Rules
) -> tuple[list[Delta], list[tuple[str, int]]]:
    """Return the deltas of all matches, and for each forgiven gap its currency and amount."""
    columns = defaultdict(list)
    for difference in differences:
        columns[difference.ours_row].append(difference.column)
    deltas: list[Delta] = []
    tolerated: list[tuple[str, int]] = []
    for match in matches:
        gap = sum(e.amount or 0 for e in match.members[0]) - sum(e.amount or 0 for e in match.members[1])
        forgiven = abs(gap) <= tolerated_gap(rules, sum(e.amount or 0 for e in match.members[0]))
        currencies = {e.currency for members in match.members for e in members}
        if len(currencies) == 1 and forgiven:
            tolerated.append((currencies.pop(), gap))
        if match.by == "group":
            deltas += _group_delta(match, gap, is_forgiven=forgiven)
        else:
            deltas += _pair_deltas(match, gap, sorted(columns[match.members[0][0].no]), is_forgiven=forgiven)
    return deltas, tolerated


def _group_delta(match: Match, gap: int, *, is_forgiven: bool) -> list[Delta]:
    everyone = match.members[0] + match.members[1]
    absent = [e for e in everyone if e.amount is None]
    is_incomplete = bool(absent) and len(absent) < len(everyone)
    if is_forgiven and not is_incomplete:
        return []
    fees = [sum(e.fee or 0 for e in members) for members in match.members]
    fee = _fee_part(gap, fees[1] - fees[0]) if not is_forgiven else 0
    amount = 0 if is_forgiven else gap
    kind = "value_mismatch" if is_forgiven else "underpay" if gap > 0 else "overpay"
    first = min(e.no for e in match.members[0])
    return [
        Delta(
            kind,
            amount,
            everyone[0].currency,
            first,
            first,
            min(e.no for e in match.members[1]),
            "group_sum_incomplete" if is_incomplete else "group_sum_differs",
            1.0,
            min((e.day for e in everyone if e.day is not None), default=None),
            sum(e.amount or 0 for e in match.members[0]),
            sum(e.amount or 0 for e in match.members[1]),
            {"fee": fee, "unexplained": amount - fee},
        )
    ]


def _pair_deltas(match: Match, gap: int, columns: list[str], *, is_forgiven: bool) -> list[Delta]:
    ((ours,), (theirs,)) = match.members
    place = (ours.no, ours.no, theirs.no)
    if ours.currency != theirs.currency:
        reason = "currency_missing" if "" in (ours.currency, theirs.currency) else "currency_differs"
        back = None if theirs.amount is None else -theirs.amount
        kind = "currency_mismatch"
        return [
            Delta(kind, ours.amount, ours.currency, *place, reason, match.confidence, ours.day, ours.amount, None,
                  {"unexplained": ours.amount or 0}),
            Delta(kind, back, theirs.currency, *place, reason, match.confidence, theirs.day, None, theirs.amount,
                  {"unexplained": back or 0}),
        ]  # fmt: skip
    amounts = (ours.amount, theirs.amount)
    day = ours.day or theirs.day
    if is_forgiven:
        if not columns:
            return []
        reason = "columns:" + ",".join(columns)
        return [Delta("value_mismatch", 0, ours.currency, *place, reason, match.confidence, day, *amounts, {})]
    if ours.amount is None:
        reason = "amount_missing_ours"
    elif theirs.amount is None:
        reason = "amount_missing_theirs"
    else:
        swapped = "digits_swapped" if _is_swapped(ours.amount, theirs.amount) else "amount_differs"
        reason = "sign_differs" if ours.amount == -theirs.amount else swapped
    kind = "underpay" if gap > 0 else "overpay"
    return [Delta(kind, gap, ours.currency, *place, reason, match.confidence, day, *amounts, _split(ours, theirs, gap))]


def _is_swapped(ours: int, theirs: int) -> bool:
    left, right = str(abs(ours)), str(abs(theirs))
    if ours * theirs <= 0 or len(left) != len(right):
        return False
    swaps = (left[:i] + left[i + 1] + left[i] + left[i + 2 :] for i in range(len(left) - 1))
    return left != right and right in swaps


def _fee_part(gap: int, change: int) -> int:
    """A change of stated fees explains as much as it is, where it brings both sums nearer."""
    return change if abs(gap - change) < abs(gap) else 0


def _split(ours: Entry, theirs: Entry, gap: int) -> dict[str, int]:
    """Split a gap: fees, rate of exchange, quantity, and what is left is price, or unexplained without quantities."""
    fee = _fee_part(gap, (theirs.fee or 0) - (ours.fee or 0))
    fx = volume = 0
    is_ours_only = False
    if ours.fx and ours.amount is not None:
        is_ours_only = theirs.fx is None and ours.fx != SAME_RATE
        if is_ours_only:
            fx = gap - fee
        elif theirs.fx is not None:
            fx = _believable(_toward_zero(ours.amount * (ours.fx - theirs.fx), ours.fx))
    has_quantity = bool(ours.quantity) and theirs.quantity is not None and ours.amount is not None
    if has_quantity and not is_ours_only:
        volume = _believable(_toward_zero((ours.quantity - theirs.quantity) * ours.amount, ours.quantity))
    rest = gap - fee - fx - volume
    return {"fee": fee, "fx": fx, "volume": volume, "rate" if has_quantity else "unexplained": rest}


def _believable(part: int) -> int:
    return part if abs(part) <= LARGEST_PART else 0


def _reversed(alone: list[Entry]) -> set[int]:
    """Return the rows that cancel each other: one reference or text, one amount but for the sign, within 31 days."""
    found: set[int] = set()
    for entry in alone:
        told = entry.ref if entry.ref is not None else entry.text or ""
        if not entry.amount or entry.amount < 0 or not told:
            continue
        alike = [e for e in alone if (e.ref if e.ref is not None else e.text or "") == told]
        alike = sorted(
            (e for e in alike if e.currency == entry.currency), key=lambda e: _in_order((e.day, e.content, e.no))
        )
        booked = [e for e in alike if e.amount == entry.amount]
        turned = [e for e in alike if e.amount == -entry.amount]
        for one, other in zip(booked, turned, strict=False):
            is_near = one.day is other.day is None or (one.day and other.day and abs((one.day - other.day).days) <= 31)
            if is_near:
                found |= {one.no, other.no}
    return found


def _lone_delta(entry: Entry, kind: str, *, is_reversed: bool, is_ours: bool) -> Delta:
    amount = entry.amount if entry.amount is None or is_ours else -entry.amount
    reasons = {
        "missing": "not_reported",
        "unexpected": "not_expected",
        "duplicate": "copy_on_our_side" if is_ours else "copy_on_their_side",
        "timing_lag": "within_window_of_end" if is_ours else "within_window_of_start",
    }
    return Delta(
        kind,
        amount,
        entry.currency,
        None,
        entry.no if is_ours else None,
        None if is_ours else entry.no,
        "amount_absent" if amount is None else "reversed" if is_reversed and kind != "duplicate" else reasons[kind],
        1.0,
        entry.day,
        entry.amount if is_ours else None,
        None if is_ours else entry.amount,
        {"timing" if kind == "timing_lag" else kind: amount or 0},
    )


# Totals


def _balance(
    ours: list[Entry], theirs: list[Entry], deltas: list[Delta], tolerated: list[tuple[str, int]]
) -> dict[str, dict[str, int]]:
    lines: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in ours:
        lines[entry.currency]["expected"] += entry.amount or 0
    for entry in theirs:
        lines[entry.currency]["reported"] += entry.amount or 0
    for currency, gap in tolerated:
        lines[currency]["tolerated"] += gap
    for delta in deltas:
        lines[delta.currency]["delta"] += delta.amount or 0
        for part, amount in delta.parts.items():
            lines[delta.currency][part] += amount
    names = ("expected", "reported", "delta", "tolerated", *PARTS)
    return {currency: {name: line[name] for name in names} for currency, line in lines.items()}


def _daily(
    ours: list[Entry],
    theirs: list[Entry],
    deltas: list[Delta],
    lone_ours: dict[int, str],
    lone_theirs: dict[int, str],
) -> dict[tuple[date | None, str], dict[str, int]]:
    lines: dict[tuple[date | None, str], Counter[str]] = defaultdict(Counter)
    for side, entries, lone, total in (
        ("ours", ours, lone_ours, "expected"),
        ("theirs", theirs, lone_theirs, "reported"),
    ):
        for entry in entries:
            line = lines[entry.day, entry.currency]
            line[total] += entry.amount or 0
            line[f"{side}_rows"] += 1
            line[f"matched_{side}_rows"] += entry.no not in lone
    for delta in deltas:
        lines[delta.day, delta.currency]["delta"] += delta.amount or 0
    names = ("expected", "reported", "delta", "ours_rows", "theirs_rows", "matched_ours_rows", "matched_theirs_rows")
    return {key: {name: line[name] for name in names} for key, line in lines.items()}
