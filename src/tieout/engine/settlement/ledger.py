"""The open invoices and payments of a run while payments are applied: what is left of each."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tieout.engine.settlement.open_items import Application, Item, Kind, Refused, Settled, Terms, Unapplied
from tieout.engine.settlement.party import Parties, likeness
from tieout.engine.settlement.quoted import Register

UNDATED = 10**9
"""Stands for the day of what has none, after every day there is."""
NEAREST = 400
"""So many open invoices of a party, the nearest in time, are looked at for one line."""
MOST_POINTS = 12.0


@dataclass(frozen=True)
class How:
    """How an application came about."""

    kind: Kind
    verdict: str
    alternatives: int
    is_auto: bool
    score: float
    reason: str


def _in_order(items: Iterable[Item]) -> list[Item]:
    return sorted(items, key=lambda i: (i.day is None, i.day or 0, i.currency, i.party, i.reference, i.amount, i.row))


class Ledger:
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

    def take(self, place: int, payment_place: int, amount: int, how: How) -> None:
        """Apply an amount, cut to what is open."""
        applied = smaller(amount, self.open[place])
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


def smaller(amount: int, open_: int) -> int:
    """Return the amount cut to what is open; nothing where the signs contradict."""
    if amount * open_ <= 0:
        return 0
    return min(amount, open_) if amount > 0 else max(amount, open_)


def is_repeat(ledger: Ledger, payment: Item, former: int) -> bool:
    """Say whether a payment is of the amount, the currency and the payer of another."""
    before = ledger.payments[former]
    if before.row == payment.row or before.amount != payment.amount or before.currency != payment.currency:
        return False
    return not payment.party or max(likeness(payment.party, before.party), likeness(before.party, payment.party)) >= 0.5
