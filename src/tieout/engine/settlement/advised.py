"""Payments that advice explains: what its lines claim, held against party, amount and date, the surest first."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tieout.core.money import format_micros
from tieout.engine.settlement.ledger import How, Ledger, is_repeat, smaller
from tieout.engine.settlement.open_items import Item, Line, Refused, Unapplied
from tieout.engine.settlement.quoted import Closeness, closeness
from tieout.engine.settlement.shortfall import EQUAL, Relation, relate
from tieout.engine.settlement.subset_sum import Search, find_subsets

# Evidence counts in points; what is certain alone reaches AUTO, what a person should see REVIEW.
REFERENCE_POINTS: dict[Closeness, float] = {"exact": 5.0, "rewritten": 4.5, "swapped": 2.5, "slipped": 1.5, "other": 0}
ONLY_NEAR = 1.5
"""For the one invoice within a slip of a number that no invoice has."""
ONLY_OPEN = 1.0
"""For the one invoice of its payer that is open, where the reference helps nothing."""
SAME_PARTY = 3.0
UNLIKE_PARTY = -3.0
AUTO = 6.0
REVIEW = 5.0
MARGIN = 1.0
MOST_OF_OTHERS = REFERENCE_POINTS["swapped"] + EQUAL
"""At most so much comes to an invoice that the register does not find by what the line quotes, apart from its party and
from ONLY_OPEN, which it has where no invoice that the register finds is open."""


@dataclass(frozen=True)
class _Choice:
    """An invoice that a line may mean."""

    place: int
    score: float
    relation: Relation
    quote: Closeness
    party: float | None

    @property
    def words(self) -> str:
        told = {
            "exact": "reference as quoted",
            "rewritten": "reference written otherwise",
            "swapped": "reference with two digits swapped",
            "slipped": "reference with one digit wrong",
            "other": "not the reference that is quoted",
        }[self.quote]
        party = (
            "no party to compare"
            if self.party is None
            else "same party"
            if self.party >= 0.95
            else "party alike"
            if self.party >= 0.5
            else "another party"
        )
        return f"{told}; {party}; {self.relation.words}"


@dataclass(frozen=True)
class _Meant:
    """An invoice that a line may mean, and what speaks for it whatever is open."""

    place: int
    quote: Closeness
    party: float | None
    points: float
    is_candidate: bool
    is_only_near: bool


@dataclass(frozen=True)
class _Meanings:
    """The invoices that a line may mean: those whose reference is that of the line or a slip from it, and the payer's.

    What the others of its payer come to is only asked where it could matter, and kept in `weighed`.
    """

    named: list[_Meant]
    others: list[int]
    most_of_others: float
    weighed: dict[int, _Meant | None]


@dataclass(frozen=True)
class _Claim:
    """A line that is worth following; `is_sure` says that the lines of its payment agree with its amount."""

    line: Line
    payment_place: int
    amount: int | None
    is_sure: bool
    note: str = ""


def believed(ledger: Ledger, lines: Sequence[Line]) -> list[_Claim]:
    """Return what the lines claim, as far as the money of each payment bears it."""
    by_payment: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        place = ledger.payment_place.get(line.payment_row)
        if place is not None:
            by_payment[place].append(line)
    claims: list[_Claim] = []
    for place in sorted(by_payment):
        claims += _claims_of(ledger, place, sorted(by_payment[place], key=lambda line: (line.reference, line.line)))
    return claims


def _claims_of(ledger: Ledger, place: int, lines: list[Line]) -> list[_Claim]:
    payment = ledger.payments[place]
    if any(line.amount is None for line in lines):
        return _claims_without_amounts(ledger, place, lines)
    amounts = [line.amount or 0 for line in lines]
    rest = payment.amount - sum(amounts)
    claims = [_Claim(line, place, line.amount, is_sure=True) for line in lines]
    if abs(rest) <= ledger.terms.tolerance or rest * payment.amount > 0:
        return claims
    if _credit_for(ledger, payment, rest) is not None:
        note = f"advice is {format_micros(-rest)} more than was paid, the amount of a credit note"
        credit = Line(-1 - lines[0].line, payment.row, "", rest, "credit note")
        return [*claims, _Claim(credit, place, rest, is_sure=False, note=note)]
    note = f"advice sums to {format_micros(sum(amounts))}, more than the {format_micros(payment.amount)} that were paid"
    kept = find_subsets(amounts, payment.amount, Search(max_size=len(amounts), min_size=1, max_found=2))
    if kept.count == 1 and kept.is_complete:
        dropped = set(range(len(lines))) - set(kept.found[0])
        ledger.refused += [Refused(lines[at].line, note) for at in sorted(dropped)]
        return [_Claim(lines[at], place, lines[at].amount, is_sure=False, note=note) for at in kept.found[0]]
    if len(lines) == 1:
        return [_Claim(lines[0], place, payment.amount, is_sure=False, note=note)]
    ledger.unapplied[payment.row] = Unapplied(payment.row, f"{note}; none of it is believed")
    ledger.refused += [Refused(line.line, note) for line in lines]
    return []


def _credit_for(ledger: Ledger, payment: Item, rest: int) -> int | None:
    """Return the one open credit note of the payer of just this amount."""
    fitting = [p for p in ledger.candidates(payment) if abs(ledger.open[p] - rest) <= ledger.terms.tolerance]
    return fitting[0] if len(fitting) == 1 else None


def _claims_without_amounts(ledger: Ledger, place: int, lines: list[Line]) -> list[_Claim]:
    """Return claims for lines that only name invoices: what is open of each, as far as the payment reaches."""
    payment, left = ledger.payments[place], ledger.payments[place].amount
    if len(lines) == 1:
        return [_Claim(lines[0], place, payment.amount, is_sure=True)]
    claims: list[_Claim] = []
    for line in lines:
        amount = line.amount
        if amount is None:
            amount = _open_of(ledger, line.reference)
        if amount is not None:
            amount = amount if amount * payment.amount < 0 else smaller(amount, left)
            left -= amount
        claims.append(_Claim(line, place, amount, is_sure=True))
    return claims


def _open_of(ledger: Ledger, quoted: str) -> int | None:
    """Return the amount of the one invoice that a reference names, or that is a slip away from it."""
    found = sorted(ledger.register.find(quoted)) or sorted(ledger.register.find_near(quoted))
    return ledger.invoices[found[0]].amount if len(found) == 1 else None


class Advised:
    """Follows advice, the surest claim first."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.taken: set[tuple[int, int]] = set()
        self.meanings: dict[tuple[int, int], _Meanings] = {}

    def apply(self, claims: Sequence[_Claim]) -> None:
        heap: list[tuple[float, int, int]] = []
        for number, claim in enumerate(claims):
            heap.append((-self._best_score(claim), claim.payment_place, number))
        heapq.heapify(heap)
        refused: list[_Claim] = []
        while heap:
            former, _, number = heapq.heappop(heap)
            claim = claims[number]
            choices = self.choices(claim)
            score = choices[0].score if choices else -99.0
            if -score > former + 1e-9:
                heapq.heappush(heap, (-score, claim.payment_place, number))
                continue
            if not self._follow(claim, choices):
                refused.append(claim)
        for claim in refused:
            self._explain(claim)
        self._keep_within_payments()

    def _best_score(self, claim: _Claim) -> float:
        choices = self.choices(claim)
        return choices[0].score if choices else -99.0

    def choices(self, claim: _Claim, *, is_whole: bool = False) -> list[_Choice]:
        """Return the invoices that a claim may mean, the likeliest first.

        Unless `is_whole` those are left out that come so far behind the likeliest that they change nothing.
        """
        key = (claim.payment_place, claim.line.line)
        if key not in self.meanings:
            self.meanings[key] = self._meanings(claim)
        meanings = self.meanings[key]
        only = self._only_open(claim, meanings)
        choices = self._weighed(claim, meanings.named, only)
        is_named_open = any(self._is_open_candidate(one) for one in meanings.named)
        least = float("-inf") if is_whole or not choices else choices[0].score - MARGIN
        if round(meanings.most_of_others + (0.0 if is_named_open else ONLY_OPEN), 6) <= least:
            return choices
        others = self._others(claim, meanings, least if is_named_open else float("-inf"))
        if only is None and not is_named_open:
            open_ones = [one.place for one in others if self._is_open_candidate(one)]
            only = open_ones[0] if len(open_ones) == 1 else None
        return self._weighed(claim, [*meanings.named, *others], only)

    def _others(self, claim: _Claim, meanings: _Meanings, least: float) -> list[_Meant]:
        """Return the invoices of the payer that the line does not name and that may come to more than so many points.

        How near their references are takes longest to say, so it is only asked where their amounts may do.
        """
        ledger, memo = self.ledger, claim.line.memo
        beside_amount = meanings.most_of_others - EQUAL
        found = []
        for place in meanings.others:
            original = ledger.invoices[place].amount
            relation = relate(ledger.open[place], original, claim.amount or 0, memo, ledger.terms.tolerance)
            if round(beside_amount + relation.points, 6) > least:
                found.append(self._other(claim, meanings, place))
        return [one for one in found if one is not None]

    def _weighed(self, claim: _Claim, meant: Sequence[_Meant], only: int | None) -> list[_Choice]:
        choices = [
            self._choice(claim, one, ONLY_OPEN if one.place == only and not one.is_only_near else 0.0)
            for one in meant
            if (claim.payment_place, one.place) not in self.taken
        ]
        return sorted(choices, key=lambda choice: (-choice.score, choice.place))

    def _only_open(self, claim: _Claim, meanings: _Meanings) -> int | None:
        """Return the one open invoice of the payer that the claim may mean, if its reference names it."""
        named = [one.place for one in meanings.named if self._is_open_candidate(one)]
        if len(named) != 1:
            return None
        has_others = any(
            not self.ledger.is_closed(place) and self._other(claim, meanings, place) is not None
            for place in meanings.others
        )
        return None if has_others else named[0]

    def _is_open_candidate(self, one: _Meant) -> bool:
        return one.is_candidate and not self.ledger.is_closed(one.place)

    def _meanings(self, claim: _Claim) -> _Meanings:
        """Return the invoices that a claim may mean, with all that does not change while others are settled."""
        ledger = self.ledger
        payment = ledger.payments[claim.payment_place]
        quoted = claim.line.reference
        named, near = ledger.register.find(quoted), ledger.register.find_near(quoted)
        candidates = ledger.candidates(payment)
        quotes: dict[int, Closeness] = {**near, **named}
        rewritten = ledger.register.find_alike(quoted).difference(quotes).intersection(candidates)
        quotes |= {place: closeness(quoted, ledger.invoices[place].reference) for place in sorted(rewritten)}
        is_only_near = len(near) == 1 and not named
        own = set(candidates)
        meant = [
            self._meant(claim, place, quote, is_candidate=place in own, is_only_near=is_only_near and place in near)
            for place, quote in quotes.items()
        ]
        others = [place for place in candidates if place not in quotes]
        likest = {ledger.invoices[place].party: place for place in others}.values()
        parties = [_party_points(ledger.party_likeness(payment, ledger.invoices[place])) for place in likest]
        most = MOST_OF_OTHERS + max(parties, default=0.0)
        return _Meanings([one for one in meant if one is not None], others, most, {})

    def _other(self, claim: _Claim, meanings: _Meanings, place: int) -> _Meant | None:
        """Return an invoice of the payer that the reference does not name, if it may be meant all the same."""
        if place not in meanings.weighed:
            quote = closeness(claim.line.reference, self.ledger.invoices[place].reference)
            meanings.weighed[place] = self._meant(claim, place, quote, is_candidate=True, is_only_near=False)
        return meanings.weighed[place]

    def _meant(
        self, claim: _Claim, place: int, quote: Closeness, *, is_candidate: bool, is_only_near: bool
    ) -> _Meant | None:
        ledger = self.ledger
        payment, invoice = ledger.payments[claim.payment_place], ledger.invoices[place]
        if invoice.currency != payment.currency:
            return None
        party = ledger.party_likeness(payment, invoice)
        points = REFERENCE_POINTS[quote] + _party_points(party) + _day_points(payment, invoice)
        points += ONLY_NEAR if is_only_near else 0.0
        if points + EQUAL + ONLY_OPEN < REVIEW:
            return None
        return _Meant(place, quote, party, points, is_candidate, is_only_near)

    def _choice(self, claim: _Claim, one: _Meant, favour: float) -> _Choice:
        ledger = self.ledger
        open_, original = ledger.open[one.place], ledger.invoices[one.place].amount
        relation = relate(open_, original, claim.amount or 0, claim.line.memo, ledger.terms.tolerance)
        return _Choice(one.place, round(one.points + relation.points + favour, 6), relation, one.quote, one.party)

    def _follow(self, claim: _Claim, choices: list[_Choice]) -> bool:
        """Apply a claim to the invoice that it means, if one is meant clearly enough."""
        best = choices[0] if choices else None
        kind = best.relation.kind if best else None
        if best is None or kind is None or best.score < REVIEW or not claim.amount:
            return False
        runner_up = next((c.score for c in choices[1:] if c.relation.kind is not None), float("-inf"))
        is_clear = best.score - runner_up >= MARGIN and (best.party is None or best.party >= 0.5)
        is_auto = best.score >= AUTO and is_clear and claim.is_sure
        equals = 1 + sum(c.score > best.score - MARGIN for c in choices[1:] if c.relation.kind is not None)
        verdict = "advised" if equals == 1 else f"{equals} alternatives"
        reason = f"{claim.note}; {best.words}" if claim.note else best.words
        self.taken.add((claim.payment_place, best.place))
        how = How(kind, verdict, equals - 1, is_auto, best.score, reason)
        self.ledger.take(best.place, claim.payment_place, claim.amount or 0, how)
        return True

    def _explain(self, claim: _Claim) -> None:
        """Say why nothing was applied for a claim: it was paid before, or what it names does not fit."""
        ledger = self.ledger
        payment = ledger.payments[claim.payment_place]
        quoted = claim.line.reference
        settled = [choice for choice in self.choices(claim, is_whole=True) if choice.relation.kind is None]
        settled.sort(key=lambda choice: (-REFERENCE_POINTS[choice.quote], choice.place))
        former = next((p for c in settled for p in ledger.payers_of[c.place] if is_repeat(ledger, payment, p)), None)
        if former is not None and claim.payment_place not in ledger.used:
            ledger.mark_repeat(claim.payment_place, former)
        elif former is None:
            reason = f"advice names {quoted or 'nothing'}, and no open invoice fits it in party and amount"
            ledger.unapplied.setdefault(payment.row, Unapplied(payment.row, reason))
            ledger.incomplete.add(claim.payment_place)
            if claim.line.line >= 0:
                ledger.refused.append(Refused(claim.line.line, reason))

    def _keep_within_payments(self) -> None:
        """Take back what is applied beyond a payment: the credit note that its advice counts on was refused."""
        ledger = self.ledger
        of_payment: dict[int, list[int]] = defaultdict(list)
        for at, done in enumerate(ledger.applications):
            of_payment[ledger.payment_place[done.theirs_row]].append(at)
        place_of = {item.row: place for place, item in enumerate(ledger.invoices)}
        for payment, ats in of_payment.items():
            low, high = sorted((0, ledger.payments[payment].amount))
            applied = sum(ledger.applications[at].applied for at in ats)
            excess = applied - min(max(applied, low), high)
            for at in sorted(ats, key=lambda at: (-abs(ledger.applications[at].applied), at)):
                done = ledger.applications[at]
                back = smaller(excess, done.applied)
                if back:
                    excess -= back
                    ledger.left[payment] += back
                    ledger.open[place_of[done.ours_row]] += back
                    reason = f"{done.reason}; cut, for the payment does not reach further"
                    ledger.applications[at] = replace(
                        done, applied=done.applied - back, kind="partial", outcome="review", reason=reason
                    )
        ledger.applications = [done for done in ledger.applications if done.applied]
        ledger.used = {ledger.payment_place[done.theirs_row] for done in ledger.applications}


def _party_points(party: float | None) -> float:
    if party is None:
        return 0.0
    if party < 0.5:
        return UNLIKE_PARTY
    return SAME_PARTY if party >= 0.95 else 2.0 + (party - 0.5) * 2


def _day_points(payment: Item, invoice: Item) -> float:
    """Take points from an invoice that was issued after it was paid."""
    if payment.day is None or invoice.day is None or invoice.day <= payment.day:
        return 0.0
    return -0.5 if invoice.day - payment.day <= 7 else -1.5
