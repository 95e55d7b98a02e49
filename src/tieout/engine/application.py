"""Which payment settles which invoice, and how much of it: what advice says, held against party, amount and date.

Rules only, over values: no database, no clock. The surest line is settled first and takes from what is open; each next
one is judged by what is then left. Order of input rows does not matter.
"""

from __future__ import annotations

import heapq
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from tieout.core.money import AmountOutOfRange, NotAnAmount, format_micros, to_micros
from tieout.engine.party import Parties, likeness
from tieout.engine.quoted import Closeness, Register, closeness
from tieout.engine.subset_sum import Search, find_subsets

Kind = Literal["full", "partial", "short_payment", "discount", "over_payment", "credit_note"]
CACHED = 100_000
CENT = 10_000
"""A hundredth of a unit, in micros: a discount is rounded to it."""
MAX_DISCOUNT = 0.06
MAX_DISPUTED = 0.12
"""A gap without a word is a deduction up to this share of the invoice, beyond it a payment on account."""
UNDATED = 10**9
"""Stands for the day of what has none, after every day there is."""
NEAREST = 400
"""So many open invoices of a party, the nearest in time, are looked at for one line."""

# Evidence counts in points; what is certain alone reaches AUTO, what a person should see REVIEW.
REFERENCE_POINTS: dict[Closeness, float] = {"exact": 5.0, "rewritten": 4.5, "swapped": 2.5, "slipped": 1.5, "other": 0}
ONLY_NEAR = 1.5
"""For the one invoice within a slip of a number that no invoice has."""
ONLY_OPEN = 1.0
"""For the one invoice of its payer that is open, where the reference helps nothing."""
UNLIKE_PARTY = -3.0
EQUAL = 4.0
AUTO = 6.0
REVIEW = 5.0
MARGIN = 1.0
MOST_POINTS = 12.0
UNIQUE_SET = 9.0
MAX_SETS = 8
"""So many sets that reach a sum are listed."""

_DISCOUNT = re.compile(
    r"discount|early|skonto|escompte|descuento|sconto|rabatt|\bterms\b|korting|prompt", re.IGNORECASE
)
_DEDUCTION = re.compile(
    r"deduct|damage|defect|penalt|missing|shortage|short ship|claim|charge ?back|return|dispute|withh|retention|abzug|"
    r"mangel|minderung|litige|déduction|quality|freight|allowance|late",
    re.IGNORECASE,
)
_PARTIAL = re.compile(
    r"partial|progress|instal|on acc(t|ount)|part[- ]?pay|balance to follow|deposit|milestone|anzahlung|teilzahlung|"
    r"abschlag|rate \d|acompte|acconto|parcial",
    re.IGNORECASE,
)
_BEYOND = re.compile(r"on acc(t|ount)|over|prepay|advance", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.,#-])[-−(]?\s*[$€£]?\s*(\d{1,3}(?:[,' ]\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?)(?![\w])")
_PERCENT = re.compile(r"(\d+(?:[.,]\d+)?)\s*%")


@dataclass(frozen=True)
class Item:
    """An open invoice or a payment: amount in micros, day as a number, `row` names it and never decides."""

    row: int
    amount: int
    currency: str = ""
    day: int | None = None
    party: str = ""
    reference: str = ""
    text: str = ""


@dataclass(frozen=True)
class Line:
    """A line of advice on the payment of that row: what it names, and what it gives it in micros (None: not said)."""

    line: int
    payment_row: int
    reference: str
    amount: int | None
    memo: str = ""


@dataclass(frozen=True)
class Terms:
    """The limits: how many days a payment may lie from its invoice, what gap is none, and the work that is allowed.

    With `is_single` a payment without advice is also proposed for one of several single invoices of its amount, or for
    one less a discount; without, that is left to scoring, which knows more of single pairs.
    """

    window_days: int = 180
    tolerance: int = 0
    is_single: bool = True
    max_members: int = 12
    node_budget: int = 60_000
    total_budget: int = 10_000_000


@dataclass(frozen=True)
class Application:
    """So much of a payment settles so much of an invoice."""

    ours_row: int
    theirs_row: int
    applied: int
    currency: str
    kind: Kind
    verdict: str
    alternatives: int
    outcome: Literal["auto", "review"]
    confidence: float
    reason: str


@dataclass(frozen=True)
class Unapplied:
    """A payment of which nothing was applied: why. `is_duplicate` names the row that it repeats."""

    theirs_row: int
    reason: str
    duplicate_of: int | None = None


@dataclass(frozen=True)
class Refused:
    """A line of advice that was not followed: why."""

    line: int
    reason: str


@dataclass(frozen=True)
class Settled:
    """What was applied, the payments of which nothing was, and the lines of advice that were not followed."""

    applications: tuple[Application, ...]
    unapplied: tuple[Unapplied, ...]
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True)
class _How:
    """How an application came about."""

    kind: Kind
    verdict: str
    alternatives: int
    is_auto: bool
    score: float
    reason: str


@dataclass(frozen=True)
class _Relation:
    """What an amount is to what is open: the kind it would have, its points, and the words for it."""

    kind: Kind | None
    points: float
    said: str
    gap: int = 0

    @property
    def words(self) -> str:
        return self.said.format(format_micros(self.gap))


@dataclass(frozen=True)
class _Memo:
    """What a memo says of a payment below the open amount, and the amounts that it states."""

    discount: bool
    deduction: bool
    part: bool
    beyond: bool
    percentage: bool
    amounts: tuple[int, ...]


@lru_cache(maxsize=CACHED)
def _read(memo: str) -> _Memo:
    says = [bool(pattern.search(memo)) for pattern in (_DISCOUNT, _DEDUCTION, _PARTIAL, _BEYOND, _PERCENT)]
    amounts = []
    for text in _NUMBER.findall(memo):
        plain = re.sub(r"(?<=\d)[,' ](?=\d{3}(\D|$))", "", text).replace(",", ".")
        with suppress(NotAnAmount, AmountOutOfRange):
            amounts.append(to_micros(plain))
    return _Memo(says[0], says[1], says[2], says[3], says[4], tuple(amounts))


@dataclass(frozen=True)
class _Choice:
    """An invoice that a line may mean."""

    place: int
    score: float
    relation: _Relation
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


def settle(invoices: Sequence[Item], payments: Sequence[Item], lines: Sequence[Line], terms: Terms) -> Settled:
    """Apply payments to invoices. No payment is applied beyond its amount, and no invoice beyond what is open of it."""
    ledger = _Ledger(invoices, payments, terms)
    advised = _Advised(ledger)
    advised.apply(_believed(ledger, lines))
    _Unadvised(ledger).apply()
    return ledger.settlement()


def _in_order(items: Iterable[Item]) -> list[Item]:
    return sorted(items, key=lambda i: (i.day is None, i.day or 0, i.currency, i.party, i.reference, i.amount, i.row))


class _Ledger:
    """The open items and what has been applied so far."""

    def __init__(self, invoices: Sequence[Item], payments: Sequence[Item], terms: Terms) -> None:
        self.terms = terms
        self.invoices = _in_order(item for item in invoices if item.amount)
        self.payments = _in_order(item for item in payments if item.amount)
        self.open = [item.amount for item in self.invoices]
        self.left = [item.amount for item in self.payments]
        self.parties = Parties(item.party for item in self.invoices if item.party)
        self.register = Register((place, item.reference) for place, item in enumerate(self.invoices) if item.reference)
        self.payment_place = {item.row: place for place, item in enumerate(self.payments)}
        self.of_party: dict[tuple[str, str], list[int]] = defaultdict(list)
        for place, item in enumerate(self.invoices):
            if item.party:
                self.of_party[item.party, item.currency].append(place)
        self.days_of = {
            key: [UNDATED if (day := self.invoices[place].day) is None else day for place in places]
            for key, places in self.of_party.items()
        }
        self.applications: list[Application] = []
        self.payers_of: dict[int, list[int]] = defaultdict(list)
        self.used: set[int] = set()
        self.unapplied: dict[int, Unapplied] = {}
        self.refused: list[Refused] = []
        self.incomplete: set[int] = set()

    def party_likeness(self, payment: Item, invoice: Item) -> float | None:
        if not payment.party or not invoice.party:
            return None
        return likeness(payment.party, invoice.party)

    def candidates(self, payment: Item) -> list[int]:
        """Return the invoices of the payer, as far as its name tells, within the window: the nearest in time."""
        found: list[int] = []
        for party, _ in self.parties.find(payment.party) if payment.party else ():
            found += self._within_window((party, payment.currency), payment.day)
        if len(found) > NEAREST:
            day = payment.day or 0
            found = sorted(found, key=lambda place: (abs((self.invoices[place].day or day) - day), place))[:NEAREST]
        return sorted(found)

    def _within_window(self, key: tuple[str, str], day: int | None) -> list[int]:
        places, days = self.of_party.get(key, []), self.days_of.get(key, [])
        if day is None:
            return places
        first = bisect_left(days, day - self.terms.window_days)
        last = bisect_left(days, day + self.terms.window_days + 1)
        return places[first:last] + places[max(last, bisect_left(days, UNDATED)) :]

    def is_closed(self, place: int) -> bool:
        return abs(self.open[place]) <= self.terms.tolerance

    def take(self, place: int, payment_place: int, amount: int, how: _How) -> None:
        """Apply an amount, cut to what is open."""
        applied = _smaller(amount, self.open[place])
        if not applied:
            return
        invoice, payment = self.invoices[place], self.payments[payment_place]
        self.open[place] -= applied
        self.left[payment_place] -= applied
        self.used.add(payment_place)
        self.payers_of[place].append(payment_place)
        self.applications.append(
            Application(
                invoice.row,
                payment.row,
                applied,
                invoice.currency,
                "credit_note" if invoice.amount * payment.amount < 0 else how.kind,
                how.verdict,
                max(0, how.alternatives),
                "auto" if how.is_auto else "review",
                round(0.5 + 0.5 * min(1.0, max(0.0, how.score / MOST_POINTS)), 4),
                how.reason,
            )
        )

    def mark_repeat(self, place: int, former: int) -> None:
        """Say that a payment repeats another of the same amount; the earlier of the two is the one that is applied."""
        if place < former:
            first, second = self.payments[place].row, self.payments[former].row
            self.applications = [
                replace(done, theirs_row=first) if done.theirs_row == second else done for done in self.applications
            ]
            self.left[place], self.left[former] = self.left[former], self.left[place]
            self.used = (self.used - {former}) | {place}
            for payers in self.payers_of.values():
                payers[:] = [place if payer == former else payer for payer in payers]
            place, former = former, place
        payment, before = self.payments[place], self.payments[former]
        reason = "a payment of the same amount for the same invoice came before"
        self.unapplied[payment.row] = Unapplied(payment.row, reason, duplicate_of=before.row)

    def settlement(self) -> Settled:
        for place, payment in enumerate(self.payments):
            if place not in self.used and payment.row not in self.unapplied:
                self.unapplied[payment.row] = Unapplied(payment.row, "no open invoice of its payer fits")
        kept = [item for item in self.unapplied.values() if self.payment_place[item.theirs_row] not in self.used]
        return Settled(
            tuple(sorted(self.applications, key=lambda a: (a.ours_row, a.theirs_row, a.applied))),
            tuple(sorted(kept, key=lambda u: u.theirs_row)),
            tuple(sorted(self.refused, key=lambda r: r.line)),
        )


def _smaller(amount: int, open_: int) -> int:
    """Return the amount cut to what is open; nothing where the signs contradict."""
    if amount * open_ <= 0:
        return 0
    return min(amount, open_) if amount > 0 else max(amount, open_)


@dataclass(frozen=True)
class _Claim:
    """A line that is worth following; `is_sure` says that the lines of its payment agree with its amount."""

    line: Line
    payment_place: int
    amount: int | None
    is_sure: bool
    note: str = ""


def _believed(ledger: _Ledger, lines: Sequence[Line]) -> list[_Claim]:
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


def _claims_of(ledger: _Ledger, place: int, lines: list[Line]) -> list[_Claim]:
    payment = ledger.payments[place]
    if any(line.amount is None for line in lines):
        return _claims_without_amounts(ledger, place, lines)
    amounts = [line.amount or 0 for line in lines]
    rest = payment.amount - sum(amounts)
    claims = [_Claim(line, place, line.amount, is_sure=True) for line in lines]
    if abs(rest) <= ledger.terms.tolerance or rest * payment.amount > 0:
        return claims
    if _credit_for(ledger, payment, rest) is not None:
        note = f"advice is {_shown(-rest)} more than was paid, the amount of a credit note"
        credit = Line(-1 - lines[0].line, payment.row, "", rest, "credit note")
        return [*claims, _Claim(credit, place, rest, is_sure=False, note=note)]
    note = f"advice sums to {_shown(sum(amounts))}, more than the {_shown(payment.amount)} that were paid"
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


def _credit_for(ledger: _Ledger, payment: Item, rest: int) -> int | None:
    """Return the one open credit note of the payer of just this amount."""
    fitting = [p for p in ledger.candidates(payment) if abs(ledger.open[p] - rest) <= ledger.terms.tolerance]
    return fitting[0] if len(fitting) == 1 else None


def _claims_without_amounts(ledger: _Ledger, place: int, lines: list[Line]) -> list[_Claim]:
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
            amount = amount if amount * payment.amount < 0 else _smaller(amount, left)
            left -= amount
        claims.append(_Claim(line, place, amount, is_sure=True))
    return claims


def _open_of(ledger: _Ledger, quoted: str) -> int | None:
    """Return the amount of the one invoice that a reference names, or that is a slip away from it."""
    found = sorted(ledger.register.find(quoted)) or sorted(ledger.register.find_near(quoted))
    return ledger.invoices[found[0]].amount if len(found) == 1 else None


class _Advised:
    """Follows advice, the surest claim first."""

    def __init__(self, ledger: _Ledger) -> None:
        self.ledger = ledger
        self.taken: set[tuple[int, int]] = set()
        self.meant: dict[tuple[int, int], list[_Meant]] = {}

    def apply(self, claims: Sequence[_Claim]) -> None:
        heap: list[tuple[float, int, int]] = []
        for number, claim in enumerate(claims):
            heap.append((-self._best_score(claim), claim.payment_place, number))
        heapq.heapify(heap)
        refused: list[_Claim] = []
        while heap:
            former, _, number = heapq.heappop(heap)
            claim = claims[number]
            choices = self._choices(claim)
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
        choices = self._choices(claim)
        return choices[0].score if choices else -99.0

    def _choices(self, claim: _Claim) -> list[_Choice]:
        """Return the invoices that a claim may mean, the likeliest first."""
        key = (claim.payment_place, claim.line.line)
        if key not in self.meant:
            self.meant[key] = self._meant(claim)
        meant = self.meant[key]
        open_ones = [one for one in meant if one.is_candidate and not self.ledger.is_closed(one.place)]
        choices = [
            self._choice(claim, one, ONLY_OPEN if [one] == open_ones and not one.is_only_near else 0.0)
            for one in meant
            if (claim.payment_place, one.place) not in self.taken
        ]
        return sorted(choices, key=lambda choice: (-choice.score, choice.place))

    def _meant(self, claim: _Claim) -> list[_Meant]:
        """Return the invoices that a claim may mean, with all that does not change while others are settled."""
        ledger = self.ledger
        payment = ledger.payments[claim.payment_place]
        quoted = claim.line.reference
        named, near = ledger.register.find(quoted), ledger.register.find_near(quoted)
        quotes: dict[int, Closeness] = {**near, **named}
        candidates = set(ledger.candidates(payment))
        for place in candidates:
            if place not in quotes:
                quotes[place] = closeness(quoted, ledger.invoices[place].reference)
        meant = []
        for place, quote in quotes.items():
            invoice = ledger.invoices[place]
            if invoice.currency != payment.currency:
                continue
            party = ledger.party_likeness(payment, invoice)
            is_only_near = len(near) == 1 and not named and place in near
            points = REFERENCE_POINTS[quote] + _party_points(party) + _day_points(payment, invoice)
            points += ONLY_NEAR if is_only_near else 0.0
            if points + EQUAL + ONLY_OPEN >= REVIEW:
                meant.append(_Meant(place, quote, party, points, place in candidates, is_only_near))
        return meant

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
        how = _How(kind, verdict, equals - 1, is_auto, best.score, reason)
        self.ledger.take(best.place, claim.payment_place, claim.amount or 0, how)
        return True

    def _explain(self, claim: _Claim) -> None:
        """Say why nothing was applied for a claim: it was paid before, or what it names does not fit."""
        ledger = self.ledger
        payment = ledger.payments[claim.payment_place]
        quoted = claim.line.reference
        settled = [choice for choice in self._choices(claim) if choice.relation.kind is None]
        settled.sort(key=lambda choice: (-REFERENCE_POINTS[choice.quote], choice.place))
        former = next((p for c in settled for p in ledger.payers_of[c.place] if _repeats(ledger, payment, p)), None)
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
                back = _smaller(excess, done.applied)
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


def _repeats(ledger: _Ledger, payment: Item, former: int) -> bool:
    before = ledger.payments[former]
    if before.row == payment.row or before.amount != payment.amount or before.currency != payment.currency:
        return False
    return not payment.party or max(likeness(payment.party, before.party), likeness(before.party, payment.party)) >= 0.5


def _party_points(party: float | None) -> float:
    if party is None:
        return 0.0
    if party < 0.5:
        return UNLIKE_PARTY
    return 3.0 if party >= 0.95 else 2.0 + (party - 0.5) * 2


def _day_points(payment: Item, invoice: Item) -> float:
    """Take points from an invoice that was issued after it was paid."""
    if payment.day is None or invoice.day is None or invoice.day <= payment.day:
        return 0.0
    return -0.5 if invoice.day - payment.day <= 7 else -1.5


def relate(open_: int, original: int, amount: int, memo: str, tolerance: int) -> _Relation:
    """Say what an amount is to an invoice of which so much is open."""
    if abs(open_) <= tolerance:
        return _Relation(None, -4.0, "it is settled already")
    if not amount:
        return _Relation("full", 0.0, "no amount is said")
    if amount * open_ < 0:
        return _Relation(None, -6.0, "the sign contradicts")
    gap = abs(open_) - abs(amount)
    if abs(gap) <= tolerance:
        return _Relation("full", EQUAL, "the open amount")
    if gap < 0:
        return _over(open_, amount, memo)
    return _short(gap, abs(original), memo)


def _over(open_: int, amount: int, memo: str) -> _Relation:
    points = 0.0 if _read(memo).beyond else -1.0
    if abs(amount) > 2 * abs(open_):
        points = -2.0
    return _Relation("over_payment", points, "{} more than is open", abs(amount) - abs(open_))


def _short(gap: int, original: int, memo: str) -> _Relation:
    """Say what a payment below the open amount is: what its words say, else what its size says."""
    share, said = gap / original, _read(memo)
    if any(abs(stated - gap) <= CENT // 2 for stated in said.amounts):
        kind: Kind = "discount" if said.discount and not said.deduction else "short_payment"
        return _Relation(kind, EQUAL, "{} less than is open, as the memo states", gap)
    if said.deduction and not said.discount:
        return _Relation("short_payment", 1.0, "{} less than is open, deducted", gap)
    is_round = share <= MAX_DISCOUNT and _is_round_share(gap, original)
    if is_round and not said.part:
        points = 3.5 if said.discount or said.percentage else 2.5
        return _Relation("discount", points, f"{{}} less than is open, {share:.1%} of it", gap)
    if said.discount and share <= 2 * MAX_DISCOUNT:
        return _Relation("discount", 2.0, "{} less than is open, said to be a discount", gap)
    if said.part:
        return _Relation("partial", 1.5, "{} less than is open, said to be a part", gap)
    return _Relation("short_payment" if share <= MAX_DISPUTED else "partial", 0.5, "{} less than is open", gap)


def _is_round_share(gap: int, original: int) -> bool:
    """Say whether a gap is a discount people give: a multiple of half a percent, rounded to a cent."""
    halves = round(gap * 200 / original)
    return halves >= 1 and abs(gap - halves * original / 200) <= CENT


def _shown(micros: int) -> str:
    return format_micros(micros)


@dataclass(frozen=True)
class _Proposal:
    """One row of a side that sets of rows of the other side reach exactly: the sets that were found, the best first.

    `place` is of a payment, or with `is_joint` of an invoice that several payments settle. `count` is how many sets
    there are, 0 where the search could not tell.
    """

    place: int
    sets: tuple[tuple[int, ...], ...]
    count: int
    verdict: str
    is_joint: bool = False

    @property
    def rows(self) -> frozenset[tuple[bool, int]]:
        """Every row that the proposal or one of its alternatives uses, with whether it is a payment."""
        return self.rows_of({at for members in self.sets for at in members})

    def rows_of(self, members: Iterable[int]) -> frozenset[tuple[bool, int]]:
        return frozenset({(self.is_joint, at) for at in members} | {(not self.is_joint, self.place)})

    def pairs_of(self, members: Sequence[int]) -> list[tuple[int, int]]:
        """Return the pairs (invoice, payment) of a set."""
        return [(self.place, at) if self.is_joint else (at, self.place) for at in members]


class _Unadvised:
    """Applies the payments that nobody explained, by party and exact sums. What is not unique waits for a person."""

    def __init__(self, ledger: _Ledger) -> None:
        self.ledger = ledger
        self.terms = ledger.terms
        self.budget = ledger.terms.total_budget
        self.free = [p for p in range(len(ledger.payments)) if self._may_apply(p)]
        self.candidates = {p: self._candidates(p) for p in self.free}

    def apply(self) -> None:
        singles = self._singles()
        reserved = {at for proposal in singles for members in proposal.sets for at in members}
        paired = {proposal.place for proposal in singles}
        rest = [place for place in self.free if place not in paired]
        for place in rest:
            self.candidates[place] = [c for c in self.candidates[place] if c not in reserved]
        sums = [found for place in rest if (found := self._sum_of_invoices(place)) is not None]
        summed = {proposal.place for proposal in sums}
        joint = self._joint_payments([place for place in rest if place not in summed])
        self._take([*singles, *sums, *joint])
        if self.terms.is_single:
            self._propose_discounts()
        for place in self.free:
            self._explain(place)

    def _candidates(self, place: int) -> list[int]:
        ledger = self.ledger
        found = ledger.candidates(ledger.payments[place])
        return [c for c in found if not ledger.is_closed(c) and place not in ledger.payers_of[c]]

    def _may_apply(self, place: int) -> bool:
        """Say whether a payment has something left that no advice accounts for."""
        ledger = self.ledger
        told = ledger.unapplied.get(ledger.payments[place].row)
        is_open = place not in ledger.used or place in ledger.incomplete
        is_left = ledger.left[place] * ledger.payments[place].amount > 0
        return is_open and is_left and (told is None or told.duplicate_of is None)

    def _singles(self) -> list[_Proposal]:
        """Return the payments of just the open amount of an invoice of their payer."""
        ledger, found = self.ledger, []
        for place in self.free:
            payment = ledger.payments[place]
            left = ledger.left[place]
            equal = [c for c in self.candidates[place] if abs(ledger.open[c] - left) <= self.terms.tolerance]
            if not equal:
                continue
            likes = {c: ledger.party_likeness(payment, ledger.invoices[c]) or 0.0 for c in equal}
            best = sorted(equal, key=lambda c: (-likes[c], c))
            rivals = [c for c in best if likes[c] >= likes[best[0]] - 0.1]
            found.append(_Proposal(place, tuple((c,) for c in best), len(rivals), _verdict(len(rivals))))
        return found

    def _sum_of_invoices(self, place: int) -> _Proposal | None:
        """Return the sets of open invoices of the payer that sum to a payment."""
        candidates = self.candidates[place]
        if len(candidates) < 2 or self.budget <= 0:
            return None
        amounts = [self.ledger.open[c] for c in candidates]
        return self._sets(place, candidates, amounts, self.ledger.left[place], is_joint=False)

    def _joint_payments(self, free: list[int]) -> list[_Proposal]:
        """Return the invoices that several payments of one payer settle together."""
        ledger = self.ledger
        by_invoice: dict[int, list[int]] = defaultdict(list)
        for place in free:
            for candidate in self.candidates[place]:
                if abs(ledger.left[place]) < abs(ledger.open[candidate]):
                    by_invoice[candidate].append(place)
        found = []
        for invoice, places in sorted(by_invoice.items()):
            if len(places) > 1 and self.budget > 0:
                amounts = [ledger.left[p] for p in places]
                found.append(self._sets(invoice, places, amounts, ledger.open[invoice], is_joint=True))
        return [proposal for proposal in found if proposal is not None]

    def _sets(
        self, place: int, places: list[int], amounts: list[int], target: int, *, is_joint: bool
    ) -> _Proposal | None:
        search = Search(
            max_size=self.terms.max_members,
            max_found=MAX_SETS,
            node_budget=min(self.terms.node_budget, self.budget),
            tolerance=self.terms.tolerance,
        )
        found = find_subsets(amounts, target, search)
        self.budget -= found.nodes
        if not found.count:
            if not found.is_complete and not is_joint:
                row = self.ledger.payments[place].row
                reason = f"{found.verdict}: no open invoices of its payer were found that sum to it"
                self.ledger.unapplied.setdefault(row, Unapplied(row, reason))
            return None
        sets = tuple(tuple(places[at] for at in members) for members in found.found)
        return _Proposal(place, sets, found.count if found.is_complete else 0, found.verdict, is_joint)

    def _take(self, proposals: list[_Proposal]) -> None:
        """Take proposals, the plainest first; one whose rows another wants as well is for a person."""
        wanted: dict[tuple[bool, int], int] = defaultdict(int)
        repeats = self._repeats_among(proposals)
        for proposal in proposals:
            if proposal not in repeats:
                for row in proposal.rows:
                    wanted[row] += 1
        spent: set[tuple[bool, int]] = set()
        for proposal in sorted(
            proposals, key=lambda p: (p in repeats, p.count or 99, len(p.sets[0]), p.is_joint, p.place)
        ):
            chosen = next((members for members in proposal.sets if not proposal.rows_of(members) & spent), None)
            if chosen is None or (proposal in repeats and proposal.count == 1):
                continue
            is_contested = any(wanted[row] > 1 for row in proposal.rows_of(chosen))
            is_plain = len(chosen) > 1 or (proposal.count == 1 and not is_contested)
            if is_plain or self.terms.is_single:
                spent |= proposal.rows_of(chosen)
                self._take_set(proposal, chosen, is_contested=is_contested)

    def _take_set(self, proposal: _Proposal, members: tuple[int, ...], *, is_contested: bool) -> None:
        ledger, is_auto = self.ledger, proposal.count == 1 and not is_contested
        what = f"{len(members)} payments" if proposal.is_joint else f"{len(members)} invoices"
        reason = (
            "an invoice of its payer is open with this amount"
            if what == "1 invoices"
            else f"{what} of one party sum to it exactly"
        )
        if is_contested:
            reason += "; another payment could take one of them"
        score = UNIQUE_SET if is_auto else UNIQUE_SET / 2
        for invoice, payment in proposal.pairs_of(members):
            amount = ledger.left[payment] if proposal.is_joint else ledger.open[invoice]
            kind: Kind = "partial" if proposal.is_joint else "full"
            ledger.take(
                invoice, payment, amount, _How(kind, proposal.verdict, proposal.count - 1, is_auto, score, reason)
            )

    def _repeats_among(self, proposals: list[_Proposal]) -> set[_Proposal]:
        """Return the proposals of payments that repeat an earlier one for the same invoice."""
        first: dict[tuple[tuple[int, ...], int], list[int]] = defaultdict(list)
        repeats = set()
        for proposal in sorted((p for p in proposals if not p.is_joint), key=lambda p: p.place):
            payment = self.ledger.payments[proposal.place]
            key = (proposal.sets[0], payment.amount)
            if any(_repeats(self.ledger, payment, former) for former in first[key]):
                repeats.add(proposal)
            first[key].append(proposal.place)
        return repeats

    def _propose_discounts(self) -> None:
        """Propose, for a person, the one invoice that a payment would settle less a round discount."""
        ledger = self.ledger
        for place in self.free:
            if place in ledger.used:
                continue
            payment = ledger.payments[place]
            fitting = []
            for candidate in self.candidates[place]:
                relation = relate(ledger.open[candidate], ledger.invoices[candidate].amount, payment.amount, "", 0)
                if relation.kind == "discount":
                    fitting.append((candidate, relation))
            if len(fitting) == 1:
                candidate, relation = fitting[0]
                how = _How("discount", "unique", 0, False, UNIQUE_SET / 2, f"same party; {relation.words}")
                ledger.take(candidate, place, payment.amount, how)

    def _explain(self, place: int) -> None:
        """Say of a payment without advice that it repeats another, where that paid an invoice of its payer before."""
        ledger, payment = self.ledger, self.ledger.payments[place]
        if place in ledger.used or payment.row in ledger.unapplied:
            return
        for candidate in ledger.candidates(payment):
            former = next((p for p in ledger.payers_of[candidate] if _repeats(ledger, payment, p)), None)
            if former is not None:
                ledger.mark_repeat(place, former)
                return


def _verdict(count: int) -> str:
    return "unique" if count == 1 else f"{count} alternatives"
