"""How rows of both sides are tied together: by a key, by a group key whose sums tie, or by likeness alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tieout.books.compare.column_profile import Column
from tieout.books.compare.correspondence import ColumnPair, is_compatible
from tieout.books.compare.keys import (
    COUNTER,
    SUPPORTED,
    GroupSum,
    GroupSums,
    KeyFinding,
    Search,
    best_sum,
    find_composite,
    find_key,
    find_rewritten,
    find_totals,
    in_another_form,
    is_acceptable,
    is_telling,
    is_word,
    measure,
    measure_sums,
)
from tieout.books.compare.roles import SAME_NAME, text_columns
from tieout.books.compare.settled import InferOptions, Names, PlanUndecided, split_sides, unknown
from tieout.books.compare.wording import count, decided, percent, uniqueness
from tieout.engine.plan import Decision, ReferenceForm

EQUALLY_GOOD = 0.04
MISSED = 0.02
"""Where a larger share of a key's values is not on the other side, some may be mistyped."""
MISTYPED = 0.9
MIN_DESCRIBING = 3
"""Where so many columns that describe a row agree less often on paired rows (the one in their middle), a value that is
not on the other side is as likely mistyped as gone."""
MIN_SEEN = 30
MIN_TIED = 2
MOSTLY_TIED = 0.7
"""Where so large a share of groups tie in sum, the numbers that group rows meet by no accident."""
ASKED = "as you said"
TiedBy = Literal["key", "group", "likeness"]


@dataclass(frozen=True)
class Tie:
    """What ties rows together. `hint` is a key that rows share without being identified by it.

    `refused` are columns with values in common whose rows have nothing else in common, such as counters of rows.
    """

    by: TiedBy
    finding: KeyFinding | None = None
    hint: KeyFinding | None = None
    decisions: tuple[Decision, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def reference_form(self) -> ReferenceForm:
        """How references meet."""
        return self.finding.reference_form if self.finding is not None else "written"

    @property
    def columns(self) -> frozenset[tuple[str, str]]:
        """The (side, column) pairs that tie rows together."""
        if self.finding is None:
            return frozenset()
        return frozenset((c.side, c.name) for c in (*self.finding.ours, *self.finding.theirs))


def find_tie(search: Search, options: InferOptions, names: Names, pairs: Sequence[ColumnPair]) -> Tie:
    """Decide how rows are tied together. Raises PlanUndecided when two keys that contradict are equally good."""
    if options.group_by is not None:
        return _asked_group(search, options.group_by, names)
    if options.on:
        return _asked_key(search, options.on, names)
    best, others, refused = find_key(search)
    if best is not None:
        rewritten = in_another_form(search, best.ours, best.theirs, best.overlap)
        return _copies_that_sum(search, best) or _single_key(search, rewritten or best, others)
    rewritten, regrouped = find_rewritten(search)
    if rewritten is not None:
        return Tie("key", rewritten, decisions=(_key_decision(search, rewritten, 0.0),))
    groups = [_judged(search, finding) for finding in others[:3]]
    # Numbers that could meet by accident, or bare ones, are believed where their sums tie, which no accident does.
    counters = [finding for finding in refused if finding.form == "group"][:2]
    doubtful = [_judged(search, finding) for finding in (*counters, *regrouped)]
    strong = [found for found in groups if found.tie is not None and found.is_strong]
    strong += [found for found in doubtful if found.is_strong and _sums_tie(search, found.finding)]
    if strong and strong[0].tie:
        return strong[0].tie
    several = _tie_of_several(search, pairs)
    if several is not None:
        return several
    weak = [found.tie for found in groups if found.tie is not None]
    if weak and weak[0]:
        return weak[0]
    hints = [found.finding for found in groups if found.finding.form == "group"]
    return Tie("likeness", hint=hints[0] if hints else None, refused=tuple(finding.label for finding in refused))


def _tie_of_several(search: Search, pairs: Sequence[ColumnPair]) -> Tie | None:
    """Return the key that several columns are together, else the totals of a day, or of a day and a place."""
    composite = find_composite(search, pairs)
    if composite is not None:
        return Tie("key", composite, decisions=(_key_decision(search, composite, 0.0),))
    totals = (_judged(search, finding) for finding in find_totals(search, pairs))
    strong = (found.tie for found in totals if found.is_strong and _sums_tie(search, found.finding))
    return next((tie for tie in strong if tie is not None and tie.by == "group"), None)


def _asked_key(search: Search, specs: Sequence[str], names: Names) -> Tie:
    ours, theirs = _asked_columns(search, specs, names, "--on")
    written = measure(search, ours, theirs)
    finding = replace(in_another_form(search, ours, theirs, written.overlap) or written, form="key")
    evidence = f"{ASKED}; {uniqueness(finding.overlap)}{_form_told(finding)}"
    return Tie("key", finding, decisions=(decided("key", finding.label, 1.0, evidence, "--on"),))


def _asked_group(search: Search, spec: str, names: Names) -> Tie:
    ours, theirs = _asked_columns(search, [spec], names, "--group-by")
    written = measure(search, ours, theirs)
    finding = in_another_form(search, ours, theirs, written.overlap) or written
    sums = measure_sums(search, ours, theirs, finding.reference_form)
    finding = replace(finding, form="group", sums=sums)
    evidence = f"{ASKED}; {uniqueness(finding.overlap)}{_form_told(finding)}{_sums_told(sums, search)}"
    return Tie("group", finding, decisions=(decided("group", finding.label, 1.0, evidence, "--group-by"),))


def _asked_columns(
    search: Search, specs: Sequence[str], names: Names, option: str
) -> tuple[tuple[Column, ...], tuple[Column, ...]]:
    ours: list[Column] = []
    theirs: list[Column] = []
    for spec in specs:
        one, other = split_sides(spec, names, option)
        found_ours = search.ours.column(one) if one else None
        found_theirs = search.theirs.column(other) if other else None
        if found_ours is None and found_theirs is not None:
            found_ours = _counterpart(search, found_theirs)
        elif found_theirs is None and found_ours is not None:
            found_theirs = _counterpart(search, found_ours)
        if found_ours is None:
            raise unknown(spec, "ours", names, option)
        if found_theirs is None:
            raise unknown(spec, "theirs", names, option)
        ours.append(found_ours)
        theirs.append(found_theirs)
    return tuple(ours), tuple(theirs)


def _counterpart(search: Search, c: Column) -> Column | None:
    """Return the column of the other side that a column named by the user meets best, if one clearly does."""
    other = search.theirs if c.side == "ours" else search.ours
    ranked = []
    for o in other.columns:
        nos = (c.no, o.no) if c.side == "ours" else (o.no, c.no)
        overlap = search.overlaps.get(nos)
        score = 0.5 * search.likenesses[nos] + (0.5 * overlap.containment if overlap else 0.0)
        if is_compatible(c, o) and score >= 0.4:
            ranked.append((-score, o.name, o))
    return min(ranked, key=lambda item: item[:2])[2] if ranked else None


def _single_key(search: Search, best: KeyFinding, others: Sequence[KeyFinding]) -> Tie:
    """Take the best key, unless another is as good and pairs other rows."""
    rivals = [f for f in others if f.form == "key" and best.strength - f.strength <= EQUALLY_GOOD]
    said = f"; {' and '.join(best.also)} would pair the same rows" if best.also else ""
    for rival in rivals:
        same = _same_rows(best, rival)
        if same is None:
            continue
        if same >= 0.9:
            said = said or f"; {rival.label} would pair the same rows"
        elif same <= 0.5 and (rival.support or 0) >= 0.8 * (best.support or 0):
            raise PlanUndecided(
                f"{best.label} and {rival.label} could both identify a row, and they pair different rows.",
                subject="key",
                remedy=f"Say which with --on {_spec(best)} or --on {_spec(rival)}.",
            )
    return Tie("key", best, decisions=(_key_decision(search, best, 0.0, said),))


def tie_without_mistyped(search: Search, tie: Tie) -> Tie:
    """Return the tie, or likeness where values of its key are mistyped like those of all else; see MISTYPED.

    The key is then a hint among others. For files without amounts that have texts to go by.
    """
    finding = tie.finding
    if tie.by != "key" or finding is None or not _may_be_hint(search, finding):
        return tie
    by_no = {c.no: c for c in search.ours.columns}
    rates = sorted(
        agreement.rate
        for nos, agreement in finding.agreements.items()
        if nos not in finding.nos
        and agreement.present >= MIN_SEEN
        and search.likenesses[nos] >= SAME_NAME
        and by_no[nos[0]].distinct >= MIN_SEEN
    )
    missed = 1 - finding.overlap.containment
    if missed <= MISSED or len(rates) < MIN_DESCRIBING or rates[len(rates) // 2] >= MISTYPED:
        return tie
    evidence = (
        f"{finding.label} identifies a row, but {percent(missed)} of its values are not on the other side, and what"
        " describes the rows it pairs differs as often; rows are matched by likeness"
    )
    return Tie("likeness", decisions=(decided("key", "none", 0.7, evidence, "--on"),))


def _may_be_hint(search: Search, finding: KeyFinding) -> bool:
    """Say whether a key can be a hint beside texts of both sides."""
    is_hint = finding.name >= SAME_NAME and all(c.kind == "text" for c in (*finding.ours, *finding.theirs))
    return is_hint and all(text_columns(side, frozenset(), search.ignored) for side in (search.ours, search.theirs))


def _spec(finding: KeyFinding) -> str:
    ours, theirs = finding.ours[0].name, finding.theirs[0].name
    return ours if ours == theirs else f"{ours}={theirs}"


def _same_rows(best: KeyFinding, rival: KeyFinding) -> float | None:
    """Return how often rows paired by one key also agree in the other; None when no paired row has it."""
    shared = [best.agreements.get(no) for no in rival.nos]
    if any(agreement is None or agreement.present == 0 for agreement in shared):
        return None
    return min(agreement.rate for agreement in shared if agreement)


def _key_decision(search: Search, finding: KeyFinding, penalty: float, said: str = "") -> Decision:
    evidence = uniqueness(finding.overlap) + (" of the sample" if search.is_sample else "") + _form_told(finding)
    confidence = 0.4 + 0.65 * finding.strength
    if finding.support is None:
        evidence += "; no other column to check it against"
        confidence = min(confidence, 0.85)
    elif finding.support >= SUPPORTED:
        evidence += "; other columns of the rows it pairs agree"
    elif not finding.is_doubtful:
        evidence += "; too few rows to check it against other columns"
        confidence = min(confidence, 0.8)
    else:
        evidence += "; other columns of the rows it pairs do not agree"
        confidence = min(confidence, 0.7)
    chance = finding.overlap.expected_by_chance
    if chance > COUNTER:
        evidence += f" (whole numbers in these ranges would meet in {percent(chance)} by accident)"
        confidence = min(confidence, 0.9 if finding.support else 0.5)
    return decided("key", finding.label, min(0.99, confidence) - penalty, evidence + said, "--on")


def _form_told(finding: KeyFinding) -> str:
    return {
        "written": "",
        "plain": "; compared without case, signs and zeros in front",
        "digits": "; compared by the numbers in them",
    }[finding.reference_form]


@dataclass(frozen=True)
class _Judged:
    """A finding whose values repeat on a side, and the tie that it makes, if any."""

    finding: KeyFinding
    tie: Tie | None
    is_strong: bool


def _judged(search: Search, finding: KeyFinding) -> _Judged:
    """Tell from sums whether rows with the same value belong together, repeat each other, or are only related."""
    sums = measure_sums(search, finding.ours, finding.theirs, finding.reference_form)
    finding = replace(finding, sums=sums)
    top = best_sum(sums, search)
    columns = (*finding.ours, *finding.theirs)
    trusted = (is_telling(finding) or finding.name >= 0.8) and not any(is_word(c) for c in columns)
    if top is None:
        if finding.form != "group" or not trusted:
            return _Judged(finding, None, is_strong=False)
        return _Judged(finding, _group_tie(search, finding, 0.7), is_strong=False)
    group = top[1]
    tied = group.many_tied / group.many if group.many else max(group.factors.values())
    repeated = group.many_row_equal / group.many if group.many else 0.0
    # One group ties by accident as soon as one amount is on both sides.
    is_seen = group.many_tied >= MIN_TIED or (trusted and group.many_tied > 0)
    if is_seen and tied >= 0.3 and tied >= repeated and (finding.form == "group" or group.many >= 3):
        return _Judged(finding, _group_tie(search, finding, 0.6 + 0.39 * tied), is_strong=True)
    if finding.form != "group":
        return _Judged(finding, None, is_strong=False)
    if group.many and repeated > tied:
        is_mostly_single = group.many <= 0.3 * group.groups
        if is_mostly_single and is_acceptable(finding, is_sample=search.is_sample):
            return _Judged(finding, _repeated_key(search, finding, group), is_strong=True)
        return _Judged(finding, None, is_strong=False)
    if trusted:
        return _Judged(finding, _group_tie(search, finding, 0.55 + 0.2 * tied), is_strong=False)
    return _Judged(finding, None, is_strong=False)


def _copies_that_sum(search: Search, best: KeyFinding) -> Tie | None:
    """Return the group whose parts are alike, if copies of rows are such: an order may have two equal lines."""
    if not (best.overlap.ours_copies or best.overlap.theirs_copies):
        return None
    judged = _judged(search, replace(best, form="group"))
    top = best_sum(judged.finding.sums or {}, search)
    is_group = judged.tie is not None and judged.tie.by == "group" and top is not None
    is_sum = top is not None and top[1].many_tied > top[1].many_row_equal
    return judged.tie if is_group and is_sum and _sums_tie(search, judged.finding) else None


def _sums_tie(search: Search, finding: KeyFinding) -> bool:
    top = best_sum(finding.sums or {}, search)
    return top is not None and top[1].many >= 3 and top[1].many_tied >= MOSTLY_TIED * top[1].many


def _repeated_key(search: Search, finding: KeyFinding, group: GroupSum) -> Tie:
    equal, many = count(group.many_row_equal), count(group.many)
    said = f"; where it repeats, a single row and not the sum is equal in {equal} of {many}"
    return Tie("key", replace(finding, form="key"), decisions=(_key_decision(search, finding, 0.1, said),))


def _group_tie(search: Search, finding: KeyFinding, confidence: float) -> Tie:
    evidence = uniqueness(finding.overlap) + _form_told(finding) + _sums_told(finding.sums or {}, search)
    choice = decided("group", finding.label, confidence, evidence, "--group-by")
    return Tie("group", replace(finding, form="group"), decisions=(choice,))


def _sums_told(sums: GroupSums, search: Search) -> str:
    top = best_sum(sums, search)
    if top is None:
        return "; no amounts on both sides to sum"
    group = top[1]
    tied = round(max(group.factors.values()) * group.groups)
    return f"; amounts tie in sum for {count(tied)} of {count(group.groups)} groups"
