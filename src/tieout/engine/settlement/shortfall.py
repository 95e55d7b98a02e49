"""What an amount is to what is open of an invoice: all of it, a part, less a discount or a deduction, or too much."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from tieout.core.money import AmountOutOfRange, NotAnAmount, format_micros, to_micros
from tieout.engine.settlement.open_items import Kind

CACHED = 100_000
CENT = 10_000
"""A hundredth of a unit, in micros: a discount is rounded to it."""
MAX_DISCOUNT = 0.06
MAX_DISPUTED = 0.12
"""A gap without a word is a deduction up to this share of the invoice, beyond it a payment on account."""
EQUAL = 4.0
"""Points for the open amount, or for a gap that the memo states; less for what only may be."""


_DISCOUNT = re.compile(
    r"discount|early|skonto|escompte|descuento|sconto|rabatt|\bterms\b|korting|prompt", re.IGNORECASE
)
_DEDUCTION = re.compile(
    r"deduct|damage|defect|penalt|missing|shortage|short ship|claim|charge ?back|return|dispute|withh|retention|abzug|"
    r"mangel|minderung|litige|déduction|quality|freight|allowance|\blate\b",
    re.IGNORECASE,
)
_PARTIAL = re.compile(
    r"partial|progress|instal|on acc(t|ount)|part[- ]?pay|balance to follow|deposit|milestone|anzahlung|teilzahlung|"
    r"abschlag|rate \d|acompte|acconto|parcial",
    re.IGNORECASE,
)
_BEYOND = re.compile(r"on acc(t|ount)|over-?pa|prepay|advance", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.,#-])[-−(]?\s*[$€£]?\s*(\d{1,3}(?:[,' ]\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?)(?![\w])")
_PERCENT = re.compile(r"(\d+(?:[.,]\d+)?)\s*%")


@dataclass(frozen=True)
class Relation:
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


def relate(open_: int, original: int, amount: int, memo: str, tolerance: int) -> Relation:
    """Say what an amount is to an invoice of which so much is open."""
    if abs(open_) <= tolerance:
        return Relation(None, -4.0, "it is settled already")
    if not amount:
        return Relation("full", 0.0, "no amount is said")
    if amount * open_ < 0:
        return Relation(None, -6.0, "the sign contradicts")
    gap = abs(open_) - abs(amount)
    if abs(gap) <= tolerance:
        return Relation("full", EQUAL, "the open amount")
    if gap < 0:
        return _over(open_, amount, memo)
    return _short(gap, abs(original), memo)


def _over(open_: int, amount: int, memo: str) -> Relation:
    points = 0.0 if _read(memo).beyond else -1.0
    if abs(amount) > 2 * abs(open_):
        points = -2.0
    return Relation("over_payment", points, "{} more than is open", abs(amount) - abs(open_))


def _short(gap: int, original: int, memo: str) -> Relation:
    """Say what a payment below the open amount is: what its words say, else what its size says."""
    share, said = gap / original, _read(memo)
    if any(abs(stated - gap) <= CENT // 2 for stated in said.amounts):
        kind: Kind = "discount" if said.discount and not said.deduction else "short_payment"
        return Relation(kind, EQUAL, "{} less than is open, as the memo states", gap)
    if said.deduction and not said.discount:
        return Relation("short_payment", 1.0, "{} less than is open, deducted", gap)
    is_round = share <= MAX_DISCOUNT and _is_round_share(gap, original)
    if is_round and not said.part:
        points = 3.5 if said.discount or said.percentage else 2.5
        return Relation("discount", points, f"{{}} less than is open, {share:.1%} of it", gap)
    if said.discount and share <= 2 * MAX_DISCOUNT:
        return Relation("discount", 2.0, "{} less than is open, said to be a discount", gap)
    if said.part:
        return Relation("partial", 1.5, "{} less than is open, said to be a part", gap)
    return Relation("short_payment" if share <= MAX_DISPUTED else "partial", 0.5, "{} less than is open", gap)


def _is_round_share(gap: int, original: int) -> bool:
    """Say whether a gap is a discount people give: a multiple of half a percent, rounded to a cent."""
    halves = round(gap * 200 / original)
    return halves >= 1 and abs(gap - halves * original / 200) <= CENT
