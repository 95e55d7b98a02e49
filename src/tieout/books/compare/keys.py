"""Which columns identify a row on both sides, or say which rows belong together, and how sure that is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import prod
from typing import Literal

import duckdb
from sqlglot import exp

from tieout.books.compare.amounts import AmountChoice, amount_value, weight_of
from tieout.books.compare.column_profile import Column, SideProfile
from tieout.books.compare.correspondence import ColumnPair, Likenesses, is_compatible, lift_of, lower_bound
from tieout.books.compare.evidence import (
    Agreement,
    Agreements,
    KeyOverlap,
    days_beside_moments,
    key_value,
    measure_agreements,
    meet_by_key,
    pair_rows,
)
from tieout.books.compare.names import is_technical, says
from tieout.books.compare.overlap import Overlaps
from tieout.books.compare.roles import date_weight
from tieout.books.compare.statements import create, rows_of, run_file, union
from tieout.engine.macros import add_macros
from tieout.engine.plan import ReferenceForm
from tieout.store.trees import call, integer, is_present, string

UNIQUE = 0.90
"""A column identifies a row when its values are at least this unique; the rest are duplicates to be found."""
TRIED_KEYS = 5
TRIED_PARTS = 6
TRIED_DATES = 2
SELDOM_DATES = 0.1
"""Dates of birth and of the record weigh less."""
SUPPORTED = 0.2
MIN_CONTAINMENT = 0.02
IDENTIFYING = 0.99
"""What is less unique, and could be a day written in digits, is one."""
DAYS_SHARE = 0.95
"""Of numbers of eight digits one in twenty-seven has a month and a day by accident; of days nearly all have."""
COUNTER = 0.3
"""Whole numbers that would have so much in common by accident may be mere counters of rows."""
DOUBTFUL = 0.35
WORDED_ALIKE = 0.9
"""What describes a row (free text, a name, an email) identifies it only where both sides word it alike; where they do
less often, likeness tells more."""
FULLY_MET = 0.95
"""Where a larger share of the smaller side's values is on the other side, no other form of them is looked for."""
MET_IN_SAMPLE = 5
"""In a sample of larger files it is looked for where fewer values meet."""
GAINED = 0.02
"""By so large a share of them more have to meet in another form."""
STAYED_APART = 0.999
"""So large a share of the values of each side must stay different from each other in it."""
FEW_WORDINGS = 4
"""So many wordings before its numbers may a code have; more are free text."""
LOOSELY_MET = 0.5
SURELY_SUPPORTED = 0.8
"""Numbers alone meet by accident: half of the values beyond that, or other columns that agree as often as this."""
Form = Literal["key", "group", "hint"]
_NUMBER = re.compile("9+")


@dataclass(frozen=True)
class GroupSum:
    """How the sums of one amount of ours and one of theirs tie over rows with the same group key."""

    groups: int
    many: int
    equal: int
    opposite: int
    hundredfold: int
    hundredth: int
    opposite_hundredfold: int
    opposite_hundredth: int
    many_tied: int
    many_row_equal: int
    row_equal: int

    @property
    def factors(self) -> dict[tuple[int, int], float]:
        """Share of groups that tie when theirs is multiplied by this sign and this power of ten."""
        counts = {
            (1, 0): self.equal,
            (-1, 0): self.opposite,
            (1, 2): self.hundredfold,
            (1, -2): self.hundredth,
            (-1, 2): self.opposite_hundredfold,
            (-1, -2): self.opposite_hundredth,
        }
        return {factor: count / self.groups if self.groups else 0.0 for factor, count in counts.items()}


GroupSums = dict[tuple[int, int], GroupSum]


@dataclass(frozen=True)
class KeyFinding:
    """Columns that tie rows of both sides together, and what was seen.

    `form` is `key` (one row each), `group` (rows that belong together) or `hint` (they may). `support` is how far the
    other columns of the paired rows agree beyond chance, None when there is nothing to hold against each other.
    It `is_doubtful` when none of them agree although they could. `also` names columns that identify the same rows.
    Values meet in `reference_form`.
    """

    ours: tuple[Column, ...]
    theirs: tuple[Column, ...]
    form: Form
    overlap: KeyOverlap
    agreements: Agreements
    support: float | None
    is_doubtful: bool
    name: float
    strength: float
    sums: GroupSums | None = None
    also: tuple[str, ...] = ()
    reference_form: ReferenceForm = "written"

    @property
    def label(self) -> str:
        return _label(self.ours, self.theirs)

    @property
    def nos(self) -> frozenset[tuple[int, int]]:
        return frozenset((o.no, t.no) for o, t in zip(self.ours, self.theirs, strict=True))


def _label(ours: Sequence[Column], theirs: Sequence[Column]) -> str:
    left, right = ", ".join(c.name for c in ours), ", ".join(c.name for c in theirs)
    return left if left == right else f"{left} = {right}"


@dataclass(frozen=True)
class Search:
    """All that the search for a key rests on."""

    con: duckdb.DuckDBPyConnection
    ours: SideProfile
    theirs: SideProfile
    ours_amounts: tuple[AmountChoice, ...]
    theirs_amounts: tuple[AmountChoice, ...]
    likenesses: Likenesses
    overlaps: Overlaps
    ignored: frozenset[tuple[str, str]]
    is_sample: bool

    def agreements(self) -> Agreements:
        """See how the columns of the rows paired last agree, of those that could."""
        worth = frozenset(no for no, name in self.likenesses.items() if name >= 0.5) | frozenset(self.overlaps)
        return measure_agreements(self.con, self.ours, self.theirs, (self.ours_amounts, self.theirs_amounts), worth)


def measure(
    search: Search, ours: Sequence[Column], theirs: Sequence[Column], reference_form: ReferenceForm = "written"
) -> KeyFinding:
    """Meet both sides by these columns and judge them as a key."""
    overlap = meet_by_key(search.con, ours, theirs, reference_form)
    pair_rows(search.con)
    agreements = search.agreements()
    nos = frozenset((o.no, t.no) for o, t in zip(ours, theirs, strict=True))
    name = min(search.likenesses[no] for no in nos)
    support, is_doubtful = support_of(search, agreements, nos, is_counter=overlap.expected_by_chance > COUNTER)
    least, most = sorted((overlap.ours_uniqueness, overlap.theirs_uniqueness))
    form: Form = "key" if least >= UNIQUE else "group" if most >= UNIQUE else "hint"
    finding = KeyFinding(tuple(ours), tuple(theirs), form, overlap, agreements, support, is_doubtful, name, 0.0)
    return replace(finding, strength=_strength(finding), reference_form=reference_form)


def _strength(finding: KeyFinding) -> float:
    overlap = finding.overlap
    met = (overlap.containment - overlap.expected_by_chance) / max(1e-9, 1 - overlap.expected_by_chance)
    supported = 0.4 if finding.support is None else finding.support
    unique = min(overlap.ours_uniqueness, overlap.theirs_uniqueness)
    filled = min(overlap.ours_filled / overlap.ours_rows, overlap.theirs_filled / overlap.theirs_rows)
    told = 0.5 * finding.name + 0.5 * min(_named_as_key(c) for c in (*finding.ours, *finding.theirs))
    words = 0.85 if any(c.is_free_text for c in (*finding.ours, *finding.theirs)) else 1.0
    return words * (0.5 + 0.5 * unique) * (0.4 * max(0.0, met) + 0.3 * supported + 0.2 * told + 0.1 * filled)


def _named_as_key(c: Column) -> float:
    if says(c.name, "postcode", "phone", "email", "name", "card", "status", "type", "country"):
        return 0.0
    return 1.0 if says(c.name, "id", "reference", "invoice", "order", "transaction") else 0.3


def support_of(
    search: Search, agreements: Agreements, key: frozenset[tuple[int, int]], *, is_counter: bool
) -> tuple[float | None, bool]:
    """Return the best cautious agreement, beyond chance, of two columns outside the key; and whether there is none.

    Rows that are merely counted in the order of their dates have near dates; days say nothing for a counter.
    """
    ours_key, theirs_key = {o for o, _ in key}, {t for _, t in key}
    ours_by_no = {c.no: c for c in search.ours.columns}
    theirs_by_no = {c.no: c for c in search.theirs.columns}
    lifts, seen = [], []
    for (o_no, t_no), agreement in agreements.items():
        o, t = ours_by_no.get(o_no), theirs_by_no.get(t_no)
        if (o_no in ours_key) or (t_no in theirs_key) or _is_useless(search, o, t):
            continue
        if is_counter and agreement.domain == "day":
            continue
        overlap = search.overlaps.get((o_no, t_no))
        chance = overlap.chance if overlap else 0.0
        if chance > 0.6 or agreement.present < 2 or (o and t and min(o.distinct, t.distinct) < 2):
            continue
        hits, chance = _hits(agreement, chance, o, t)
        lifts.append(lift_of(agreement, chance, hits))
        seen.append((hits / agreement.present - chance) / (1 - chance))
    if not lifts:
        return None, False
    return max(lifts), max(seen) < DOUBTFUL


def _is_useless(search: Search, o: Column | None, t: Column | None) -> bool:
    return any(c is not None and (is_technical(c.name) or (c.side, c.name) in search.ignored) for c in (o, t))


def _hits(agreement: Agreement, chance: float, o: Column | None, t: Column | None) -> tuple[int, float]:
    """Return on how many paired rows two columns agree, and the share that chance alone would give."""
    if agreement.domain != "day" or o is None or t is None:
        return round(max(agreement.factors.values()) * agreement.present), chance
    span = max((max(o.high, t.high) - min(o.low, t.low)).days, 1)
    close_by_chance = min(0.99, 11 / span)
    if (agreement.close_days / agreement.present - close_by_chance) / (1 - close_by_chance) > agreement.rate - chance:
        return agreement.close_days, close_by_chance
    return agreement.equal, chance


def is_acceptable(finding: KeyFinding, *, is_sample: bool) -> bool:
    """Say whether a key is believable: the sides share values, and not by accident."""
    overlap = finding.overlap
    if overlap.common < min(2, overlap.ours_distinct, overlap.theirs_distinct) or not overlap.common:
        return False
    if overlap.containment < WORDED_ALIKE and any(_describes(c) for c in (*finding.ours, *finding.theirs)):
        return False
    if finding.support is not None and finding.support >= SUPPORTED:
        return is_sample or overlap.containment >= MIN_CONTAINMENT
    if is_sample and overlap.common < 5:
        return False
    met = overlap.containment - overlap.expected_by_chance
    if finding.is_doubtful:
        return met >= 0.4 and is_telling(finding)
    is_named = finding.name >= 0.9 and overlap.containment >= 0.9 and all(_named_as_key(c) == 1 for c in finding.ours)
    return met >= 0.3 or (is_telling(finding) and met > MIN_CONTAINMENT) or is_named


def _describes(c: Column) -> bool:
    return (c.is_free_text and not _is_numbered(c)) or says(c.name, "postcode", "phone", "email", "name")


def _is_numbered(c: Column) -> bool:
    """Say whether the same few words stand before every number: Order 7719, Order 7720."""
    wordings = {_NUMBER.sub("9", shape.text) for shape in c.look.shapes}
    return 0 < len(wordings) <= FEW_WORDINGS and all("9" in wording for wording in wordings)


def is_telling(finding: KeyFinding) -> bool:
    """Say whether values of a key are too long to be shared by accident (not 1, 2, 3, and not a word)."""
    return finding.overlap.expected_by_chance < 0.05 and all(_is_long_code(c) for c in (*finding.ours, *finding.theirs))


def _is_long_code(c: Column) -> bool:
    length = c.look.mean_length if c.look.shapes else float(c.max_length)
    has_digits = c.is_digits or any("9" in shape.text for shape in c.look.shapes)
    return not c.is_free_text and length >= (5 if has_digits else 10)


def candidates(search: Search) -> list[tuple[Column, Column]]:
    """Return the pairs of single columns that could tie rows together, the most promising first."""
    found = []
    ours, theirs = ([c for c in side.columns if _may_be_key(search, c)] for side in (search.ours, search.theirs))
    key_like = {(c.side, c.no): _named_as_key(c) + _is_long_code(c) for c in (*ours, *theirs)}
    for o in ours:
        for t in theirs:
            overlap = search.overlaps.get((o.no, t.no))
            if overlap is None or overlap.domain == "day":
                continue
            most, least = max(o.uniqueness, t.uniqueness), min(o.uniqueness, t.uniqueness)
            if most < UNIQUE - 0.05 or (min(o.distinct, t.distinct) < 2 and not _is_id_of_one_row(o, t)):
                continue
            name = search.likenesses[o.no, t.no]
            named = 0.3 * (key_like[o.side, o.no] + key_like[t.side, t.no])
            rank = least + 1.2 * overlap.containment + 0.6 * name + named
            found.append((-rank, o.name, t.name, o, t))
    return [(o, t) for *_, o, t in sorted(found, key=lambda item: item[:3])]


def _is_id_of_one_row(o: Column, t: Column) -> bool:
    """Say whether a side of one row has an id that is one on the other side too; any other value may be common."""
    return min(o.uniqueness, t.uniqueness) >= UNIQUE and _named_as_key(o) == _named_as_key(t) == 1


def _may_be_key(search: Search, c: Column) -> bool:
    if is_technical(c.name) or (c.side, c.name) in search.ignored or c.filled_share < 0.2 or _is_category(c):
        return False
    if _has_days_of_birth(c):
        return False
    if c.kind == "number":
        return (
            c.is_whole and not c.negatives and weight_of(c) < 0.5 and not says(c.name, "quantity", "rate", "fee", "tax")
        )
    return c.kind == "text" and c.look.mean_length <= 45


def _is_category(c: Column) -> bool:
    """Say whether a column sorts rows into a few kinds that unrelated files share: currencies, states, types."""
    is_named = says(c.name, "currency", "status", "type", "country") and not says(c.name, "id", "reference")
    return c.is_currency or is_named


def _has_days_of_birth(c: Column) -> bool:
    """Say whether a column tells when people were born: by its name, or digits that are days and repeat.

    Few share such a day, but some do, and they are other people.
    """
    are_days = any(one.type.kind == "date" and one.parsed >= DAYS_SHARE * c.filled for one in c.measured)
    return says(c.name, "birth") or (are_days and c.is_digits and c.uniqueness < IDENTIFYING)


def is_word(c: Column) -> bool:
    """Say whether a column holds words without any digit, which unrelated files have in common sooner than numbers."""
    return c.kind == "text" and not any("9" in shape.text for shape in c.look.shapes)


def find_key(search: Search) -> tuple[KeyFinding | None, list[KeyFinding], list[KeyFinding]]:
    """Return the best key of a single column, what else could tie rows together, and what only seemed to."""
    believable: list[KeyFinding] = []
    refused: list[KeyFinding] = []
    for o, t in candidates(search)[:TRIED_KEYS]:
        # A column that says the same on the rows that a key pairs already would only be measured to be no better.
        keys = [finding for finding in believable if finding.form == "key" and (finding.support or 0) >= SUPPORTED]
        first = next(
            (finding for finding in keys if _goes_along(finding, o, t) and not _fills_more(finding, o, t)), None
        )
        if first is not None:
            believable[believable.index(first)] = replace(first, also=(*first.also, _label((o,), (t,))))
            continue
        finding = measure(search, [o], [t])
        if is_acceptable(finding, is_sample=search.is_sample):
            believable.append(finding)
        elif finding.overlap.containment >= 0.5:
            refused.append(finding)
    ranked = sorted(believable, key=lambda finding: (finding.form != "key", -finding.strength, finding.label))
    if ranked and ranked[0].form == "key":
        return ranked[0], ranked[1:], refused
    return None, ranked, refused


def in_another_form(
    search: Search, ours: Sequence[Column], theirs: Sequence[Column], written: KeyOverlap
) -> KeyFinding | None:
    """Return the finding by these columns in a form in which clearly more values meet than as `written`, if any.

    That is where one side writes INV-0012 and the other inv 12, #12 or 12, and no two values of a side become one.
    How many values of a sample meet says nothing, so there it is looked for only where hardly any do.
    """
    is_met = written.common >= MET_IN_SAMPLE if search.is_sample else written.containment >= FULLY_MET
    if is_met or not _may_be_written_otherwise((*ours, *theirs)):
        return None
    add_macros(search.con, "plain_reference", "reference_digits")
    forms: tuple[ReferenceForm, ...] = ("plain", "digits")
    better = [form for form in forms if _meets_better(meet_by_key(search.con, ours, theirs, form), written)]
    found = [finding for finding in (measure(search, ours, theirs, form) for form in better) if _is_borne_out(finding)]
    return max(found, key=lambda finding: finding.overlap.common, default=None)


def _may_be_written_otherwise(columns: Sequence[Column]) -> bool:
    if any(says(c.name, "phone", "postcode", "card", "email") or c.kind not in ("text", "number") for c in columns):
        return False
    return any(c.kind == "text" for c in columns) and not any(is_word(c) for c in columns)


def _meets_better(now: KeyOverlap, written: KeyOverlap) -> bool:
    """Say whether clearly more values meet than as written, and hardly any of a side have become one."""
    ours, theirs = written.ours_distinct, written.theirs_distinct
    have_stayed = now.ours_distinct >= STAYED_APART * ours and now.theirs_distinct >= STAYED_APART * theirs
    return have_stayed and now.common - written.common >= max(2, GAINED * min(ours, theirs))


def _is_borne_out(found: KeyFinding) -> bool:
    """Say whether a key of numbers alone is one; that of a group is asked of its sums."""
    support = found.support or 0.0
    if found.reference_form == "plain" or found.form == "group" or support >= SURELY_SUPPORTED:
        return True
    met = found.overlap.containment - found.overlap.expected_by_chance
    return support >= LOOSELY_MET and met >= LOOSELY_MET


def find_rewritten(search: Search) -> tuple[KeyFinding | None, list[KeyFinding]]:
    """Return the best key whose values each side writes in its own way, else what could group rows so.

    One of them may stand behind the same words in a text: STRIPE TRANSFER po_0012.
    """
    tried = []
    for o in search.ours.columns:
        for t in search.theirs.columns:
            least, most = sorted((o.uniqueness, t.uniqueness))
            name, named = search.likenesses[o.no, t.no], sorted((_named_as_key(o), _named_as_key(t)))
            names_one = named[1] == 1 or says(o.name, "payout") or says(t.name, "payout")
            is_told = name >= 0.5 or named[0] == 1 or (names_one and (_is_numbered(o) or _is_numbered(t)))
            if most >= UNIQUE and is_told and _may_be_key(search, o) and _may_be_key(search, t):
                tried.append((-least - name - sum(named), o.name, t.name, o, t))
    groups = []
    for *_, o, t in sorted(tried, key=lambda item: item[:3])[:TRIED_KEYS]:
        found = in_another_form(search, [o], [t], meet_by_key(search.con, [o], [t]))
        if found is None or not (found.overlap.containment >= LOOSELY_MET or search.is_sample):
            continue
        if found.form == "key" and is_acceptable(found, is_sample=search.is_sample):
            return found, []
        if found.form == "group":
            groups.append(found)
    return None, groups


def _goes_along(finding: KeyFinding, o: Column, t: Column) -> bool:
    agreement = finding.agreements.get((o.no, t.no))
    return agreement is not None and agreement.present >= 3 and agreement.rate >= 0.9


def _fills_more(finding: KeyFinding, o: Column, t: Column) -> bool:
    """Say whether a column names clearly more rows than the key does: those that the key leaves blank."""
    of_key = min(c.filled_share for c in (*finding.ours, *finding.theirs))
    return min(o.filled_share, t.filled_share) > of_key + 0.05


def find_composite(search: Search, pairs: Sequence[ColumnPair]) -> KeyFinding | None:
    """Return the best key of two or three corresponding columns, the shorter where both serve."""
    parts = [pair for pair in pairs if _may_be_part(pair)]
    parts = sorted(parts, key=lambda pair: (-min(pair.ours.distinct, pair.theirs.distinct), pair.ours.name))[
        :TRIED_PARTS
    ]
    for size in (2, 3):
        tuples = list(_promising(search, parts, size))
        found = [
            measure(search, [pair.ours for pair in chosen], [pair.theirs for pair in chosen]) for chosen in tuples[:2]
        ]
        found = [one for one in found if one.form == "key" and _is_composite_acceptable(one, search)]
        if found:
            return max(found, key=lambda one: one.overlap.common)
    return None


def _may_be_part(pair: ColumnPair) -> bool:
    o, t = pair.ours, pair.theirs
    if any(is_technical(c.name) or c.is_free_text or c.distinct < 2 or c.filled_share < 0.9 for c in (o, t)):
        return False
    if any(says(c.name, "quantity", "percent", "rate") for c in (o, t)):
        return False
    if any(c.kind == "number" and not (c.is_whole and weight_of(c) < 0.5) for c in (o, t)):
        return False
    return is_compatible(o, t) and (pair.name >= 0.6 or pair.content >= 0.5)


def find_totals(search: Search, pairs: Sequence[ColumnPair]) -> Iterator[KeyFinding]:
    """Yield what could hold the parts of a total together where no number does: the day, or the day and a place."""
    dates = sorted(
        (-date_weight(o) * date_weight(t), o.name, t.name, o, t)
        for o in search.ours.columns
        for t in search.theirs.columns
        if "date" in (o.kind, t.kind)
        and {o.kind, t.kind} <= {"date", "timestamp"}
        and min(date_weight(o), date_weight(t)) > SELDOM_DATES
        and not {(c.side, c.name) for c in (o, t)} & search.ignored
    )
    places = [pair for pair in pairs if _may_be_part(pair) and pair.ours.kind == pair.theirs.kind == "text"]
    for *_, o, t in dates[:TRIED_DATES]:
        for place in (None, *places[:TRIED_DATES]):
            ours, theirs = ([o], [t]) if place is None else ([place.ours, o], [place.theirs, t])
            if not any(prod(c.distinct for c in columns) >= UNIQUE * columns[0].filled for columns in (ours, theirs)):
                continue
            found = measure(search, ours, theirs)
            if found.form == "group" and found.overlap.containment >= LOOSELY_MET:
                yield found


def _promising(search: Search, parts: Sequence[ColumnPair], size: int) -> Iterator[tuple[ColumnPair, ...]]:
    """Yield the tuples that seem unique on both sides by an estimate, the best first."""
    rows = (search.ours.rows, search.theirs.rows)
    tuples = []
    for chosen in combinations(parts, size):
        products = [1.0, 1.0]
        for pair in chosen:
            products = [products[0] * pair.ours.distinct, products[1] * pair.theirs.distinct]
        if products[0] >= 0.9 * rows[0] and products[1] >= 0.9 * rows[1]:
            tuples.append(chosen)
    if not tuples:
        return
    ours = _estimates(search, search.ours, [[pair.ours for pair in chosen] for chosen in tuples])
    theirs = _estimates(search, search.theirs, [[pair.theirs for pair in chosen] for chosen in tuples])
    ranked = sorted(
        (-min(u, v), sorted(pair.ours.name for pair in chosen), place)
        for place, (chosen, u, v) in enumerate(zip(tuples, ours, theirs, strict=True))
        if min(u, v) >= UNIQUE - 0.02
    )
    for *_, place in ranked:
        yield tuple(sorted(tuples[place], key=lambda pair: (-pair.ours.distinct, pair.ours.name)))


def _estimates(search: Search, side: SideProfile, tuples: Sequence[Sequence[Column]]) -> list[float]:
    wanted = [
        exp.alias_(call("approx_count_distinct", key_value(columns)), f"v{i}") for i, columns in enumerate(tuples)
    ]
    row = rows_of(search.con, exp.select(*wanted).from_(f"infer_{side.side}_raw"))[0]
    return [count / max(side.rows, 1) for count in row]


def _is_composite_acceptable(finding: KeyFinding, search: Search) -> bool:
    """Say whether several columns are a key: parts that repeat meet by accident more easily than an id does."""
    if finding.is_doubtful:
        return False
    has_day = any(c.kind != "text" for c in finding.ours)
    has_id = any(says(c.name, "id", "reference", "invoice", "order", "transaction", "product") for c in finding.ours)
    needed = 0.5 if has_id else 0.9 if has_day else 0.7
    if search.is_sample:
        return finding.overlap.common >= 5
    return finding.overlap.containment >= needed


def measure_sums(
    search: Search, ours: Sequence[Column], theirs: Sequence[Column], form: ReferenceForm = "written"
) -> GroupSums:
    """See for every amount of both sides whether it ties in sum over the rows that share these columns."""
    usable = [
        [amount for amount in amounts if amount.weight >= 0.1]
        for amounts in (search.ours_amounts, search.theirs_amounts)
    ]
    if not all(usable):
        return {}
    keep_members(search, (ours, theirs), usable, form)
    cells = [_member(search.ours, amount) for amount in usable[0]]
    cells += [_member(search.theirs, amount) for amount in usable[1]]
    create(search.con, "infer_member", union(cells))
    return {
        (ours_no, theirs_no): GroupSum(*counts) for ours_no, theirs_no, *counts in run_file(search.con, "group_sum")
    }


def keep_members(
    search: Search,
    columns: Sequence[Sequence[Column]],
    amounts: Sequence[Sequence[AmountChoice]],
    form: ReferenceForm = "written",
) -> None:
    """Keep the amounts of both sides' rows (as infer_member_<side>) for keys that both sides have, at most 1,000."""
    meet_by_key(search.con, columns[0], columns[1], form)
    create(search.con, "infer_group_key", _common_keys())
    days = days_beside_moments(*columns)
    for side, of_side, wanted in zip((search.ours, search.theirs), columns, amounts, strict=True):
        _keep_members(search.con, side, key_value(of_side, form, days), wanted)


def _common_keys() -> exp.Select:
    common = exp.select(exp.column("key", table="o")).from_(exp.to_table("infer_key_ours").as_("o"))
    common = common.join(exp.to_table("infer_key_theirs").as_("t"), using=["key"])
    return common.order_by(call("hash", exp.column("key", table="o")), "o.key").limit(1000)


def _keep_members(
    con: duckdb.DuckDBPyConnection, side: SideProfile, key: exp.Expr, amounts: Sequence[AmountChoice]
) -> None:
    keys = exp.select(exp.alias_(key, "key"), "row_no").from_(f"infer_{side.side}_raw")
    values = [exp.alias_(amount_value(amount, side), f"a{amount.no}") for amount in amounts]
    amounts_by_row = exp.select("row_no", *values).from_(f"infer_{side.side}")
    query = (
        exp.select("k.key", *[f"v.a{amount.no}" for amount in amounts])
        .from_(keys.subquery("k"))
        .join(exp.to_table("infer_group_key").as_("g"), using=["key"])
        .join(amounts_by_row.subquery("v"), using=["row_no"])
    )
    create(con, f"infer_member_{side.side}", query)


def _member(side: SideProfile, amount: AmountChoice) -> exp.Select:
    value = exp.column(f"a{amount.no}")
    return (
        exp.select(
            exp.alias_(string(side.side), "side"),
            "key",
            exp.alias_(integer(amount.no), "amount_no"),
            exp.alias_(value, "amount"),
        )
        .from_(f"infer_member_{side.side}")
        .where(is_present(value.copy()))
    )


def best_sum(sums: GroupSums, search: Search) -> tuple[tuple[int, int], GroupSum] | None:
    """Return the amounts that tie in sum for most groups; among equals those that are named as amounts."""
    ours = {amount.no: amount.weight for amount in search.ours_amounts}
    theirs = {amount.no: amount.weight for amount in search.theirs_amounts}
    ranked = sorted(
        sums.items(),
        key=lambda item: (-round(max(item[1].factors.values()), 2), -ours[item[0][0]] - theirs[item[0][1]], item[0]),
    )
    return ranked[0] if ranked else None


def tied_share(group: GroupSum) -> float:
    """Return the cautious share of groups that tie in sum under the best sign and scale."""
    return lower_bound(round(max(group.factors.values()) * group.groups), group.groups)
