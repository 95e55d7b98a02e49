"""Payments that nobody explained: by party and exact sums, taken where there is one way and proposed where several."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tieout.engine.settlement.ledger import How, Ledger, is_repeat
from tieout.engine.settlement.open_items import Kind, Unapplied
from tieout.engine.settlement.shortfall import relate
from tieout.engine.settlement.subset_sum import Search, find_subsets

UNIQUE_SET = 9.0
MAX_SETS = 8
"""So many sets that reach a sum are listed."""


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


class Unadvised:
    """Applies the payments that nobody explained, by party and exact sums. What is not unique waits for a person."""

    def __init__(self, ledger: Ledger) -> None:
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
                invoice, payment, amount, How(kind, proposal.verdict, proposal.count - 1, is_auto, score, reason)
            )

    def _repeats_among(self, proposals: list[_Proposal]) -> set[_Proposal]:
        """Return the proposals of payments that repeat an earlier one for the same invoice."""
        first: dict[tuple[tuple[int, ...], int], list[int]] = defaultdict(list)
        repeats = set()
        for proposal in sorted((p for p in proposals if not p.is_joint), key=lambda p: p.place):
            payment = self.ledger.payments[proposal.place]
            key = (proposal.sets[0], payment.amount)
            if any(is_repeat(self.ledger, payment, former) for former in first[key]):
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
                how = How("discount", "unique", 0, False, UNIQUE_SET / 2, f"same party; {relation.words}")
                ledger.take(candidate, place, payment.amount, how)

    def _explain(self, place: int) -> None:
        """Say of a payment without advice that it repeats another, where that paid an invoice of its payer before."""
        ledger, payment = self.ledger, self.ledger.payments[place]
        if place in ledger.used or payment.row in ledger.unapplied:
            return
        for candidate in ledger.candidates(payment):
            former = next((p for p in ledger.payers_of[candidate] if is_repeat(ledger, payment, p)), None)
            if former is not None:
                ledger.mark_repeat(place, former)
                return


def _verdict(count: int) -> str:
    return "unique" if count == 1 else f"{count} alternatives"
