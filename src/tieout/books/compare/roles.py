"""Which columns carry amount, date, currency, text and the rest, by name and by what paired rows say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tieout.books.compare.amounts import AmountChoice, is_rate, is_year_or_age
from tieout.books.compare.column_profile import Column, SideProfile
from tieout.books.compare.column_type import is_of_months
from tieout.books.compare.correspondence import ColumnPair, Likenesses, is_compatible, lift_of, lower_bound
from tieout.books.compare.evidence import Agreement, Agreements
from tieout.books.compare.names import is_technical, meanings_of, says, words_of
from tieout.books.compare.overlap import Overlaps
from tieout.engine.parse import CURRENCY_CODES, is_text

Factor = tuple[int, int]
"""The sign, and the power of ten, by which theirs is multiplied to be ours."""
SAME: Factor = (1, 0)

FEW_SEEN = 3
"""Up to so many paired rows or groups an agreement of amounts may be an accident."""
SURE_NAME = 0.5
UNIT_VALUES = 60
SAME_NAME = 0.9
MAX_UNITS = 6

_SIGNS = {
    "$": "USD",
    "US$": "USD",
    "€": "EUR",
    "£": "GBP",
    "¥": "JPY",
    "₹": "INR",
    "KR": "",
    "₽": "RUB",
    "₺": "TRY",
    "₩": "KRW",
}
_SURE_SIGNS = {"€": 0.98, "£": 0.95, "US$": 0.98, "₹": 0.95}


_OF_THE_RECORD = {"expiry", "expires", "modified", "updated", "update", "deleted"}
"""Words of dates that tell of the record, not of what happened."""


@dataclass(frozen=True)
class AmountPair:
    """An amount of ours and one of theirs that could be the money to reconcile.

    `rate` is the share of what was held against each other that agrees under `factor`; None: nothing was. `seen`
    counts paired rows or groups, 0 where distinct values were held against each other.
    """

    ours: AmountChoice
    theirs: AmountChoice
    factor: Factor
    rate: float | None
    near: float
    score: float
    seen: int = 0
    is_told: bool = False


@dataclass(frozen=True)
class Share:
    """How often two amounts agree under the factor that suits them best, and how often they are near.

    `seen` counts the paired rows or groups, 0 where distinct values were held against each other.
    """

    factor: Factor
    rate: float
    near: float
    seen: int = 0


def best_factor(factors: Mapping[Factor, float]) -> Factor:
    """Return the factor under which most agree; as they stand, when that is as good."""
    return min((-round(share, 6), place, factor) for place, (factor, share) in enumerate(factors.items()))[2]


def share_of(agreement: Agreement | None) -> Share | None:
    """Return how often two amounts agree on paired rows."""
    if agreement is None or agreement.present == 0:
        return None
    factors = agreement.factors
    factor = best_factor(factors)
    return Share(factor, factors[factor], agreement.near / agreement.present, agreement.present)


def rank_amounts(
    ours: Sequence[AmountChoice],
    theirs: Sequence[AmountChoice],
    shares: Mapping[tuple[int, int], Share | None],
    likenesses: Likenesses,
) -> list[AmountPair]:
    """Return all pairs of amounts, the likeliest first: names that say amount, and agreement on as many rows as can be.

    A debit that only a few rows have may agree on all of these; credit less debit agrees on more.
    """
    most = max((share.seen for share in shares.values() if share is not None), default=0)
    ranked = []
    for o in ours:
        for t in theirs:
            share = shares.get((o.no, t.no))
            rate = share.rate if share else None
            named = (o.weight * t.weight) ** 0.5
            held = share.seen / most if share and share.seen else 1.0
            told = 0.3 + held * (0.7 * (rate or 0.0) + 0.1 * (share.near if share else 0.0))
            alike = likenesses.get((o.no, t.no), 0.0)
            # A conversion only explains what no plain amount does.
            plain = 1.0 if o.rate is None and t.rate is None else 0.9
            seen = share.seen if share else 0
            if is_crossed(o, t) and not (seen >= FEW_SEEN and rate):
                plain *= 0.5
            score = plain * named * (told + 0.05 * alike)
            factor = share.factor if share and share.rate else SAME
            is_told = o.weight * t.weight >= SURE_NAME and alike >= 0.9
            ranked.append(AmountPair(o, t, factor, rate, share.near if share else 0, score, seen, is_told))
    return sorted(ranked, key=lambda pair: (-round(pair.score, 6), pair.ours.label, pair.theirs.label))


def is_crossed(ours: AmountChoice, theirs: AmountChoice) -> bool:
    """Say whether one amount is a credit and the other a debit by name, which only many rows can prove to be one."""
    said = [{"credit", "debit"} & {m for name in choice.names for m in meanings_of(name)} for choice in (ours, theirs)]
    return len(said[0]) == len(said[1]) == 1 and said[0] != said[1]


def date_weight(c: Column) -> float:
    """Return how much the name of a column of dates speaks for its being when the thing happened or was booked."""
    meanings = set(meanings_of(c.name))
    words = set(words_of(c.name))
    if is_technical(c.name) or "birth" in meanings or words & _OF_THE_RECORD:
        return 0.05
    if is_of_months(c.type.date_format):
        return 0.5
    if "due" in meanings or words & {"end", "until", "latest", "earliest"}:
        return 0.4
    if words & {"value", "valuta", "wertstellung", "available", "arrival", "valeur", "delivery", "ship"}:
        return 0.75
    if "booked" in meanings or words & {"transaction", "payment", "order", "invoice", "purchase"}:
        return 1.0
    return 0.95 if meanings <= {"date", "transaction"} else 0.9 if "created" in meanings else 0.85


def rank_dates(
    ours: SideProfile,
    theirs: SideProfile,
    agreements: Agreements,
    likenesses: Likenesses,
    ignored: frozenset[tuple[str, str]],
) -> list[tuple[float, Column, Column, Agreement | None]]:
    """Return all pairs of date columns, the likeliest first: by name, and by how close they are on paired rows."""
    ranked = []
    for o in _dates(ours, ignored):
        for t in _dates(theirs, ignored):
            agreement = agreements.get((o.no, t.no))
            close = 0.4
            if agreement is not None and agreement.present >= 3:
                span = max((max(o.high, t.high) - min(o.low, t.low)).days, 1)
                close = lift_of(agreement, min(1.0, 11 / span), agreement.close_days)
                close = 0.5 * close + 0.5 * lower_bound(agreement.equal, agreement.present)
            named = (date_weight(o) * date_weight(t)) ** 0.5
            score = named * (0.5 + 0.4 * close + 0.1 * likenesses[o.no, t.no])
            ranked.append((score, o, t, agreement))
    return sorted(ranked, key=lambda item: (-round(item[0], 6), item[1].name, item[2].name))


def _dates(side: SideProfile, ignored: frozenset[tuple[str, str]]) -> list[Column]:
    usable = [
        c for c in side.columns if c.kind in ("date", "timestamp") and c.parsed and (c.side, c.name) not in ignored
    ]
    return sorted((c for c in usable if date_weight(c) > 0.1 and not is_birth(c)), key=lambda c: c.name)


def best_date(side: SideProfile, ignored: frozenset[tuple[str, str]]) -> Column | None:
    """Return the column of a side that best dates a row, by name."""
    named = sorted(_dates(side, ignored), key=lambda c: (-date_weight(c) * (0.5 + 0.5 * c.filled_share), c.name))
    return named[0] if named else None


def currencies_of(side: SideProfile, amount: Iterable[str], ignored: frozenset[tuple[str, str]]) -> list[Column]:
    """Return the columns of currency codes of a side, first the one whose name goes with the amount's."""
    about = set().union(*(meanings_of(name) for name in amount)) - {"amount", "currency"}

    def rank(c: Column) -> tuple[int, int, int, str]:
        told = set(meanings_of(c.name)) - {"currency", "id"}
        return (-len(told & about), len(told - about), 0 if says(c.name, "currency") else 1, c.name)

    return sorted((c for c in side.columns if c.is_currency and (c.side, c.name) not in ignored), key=rank)


def stated_currency(side: SideProfile, amount: Iterable[str]) -> tuple[str, float, str]:
    """Return the currency that the amounts state by a sign or a code, or their column by its name; '' for none."""
    for name in amount:
        c = side.column(name)
        symbols = c.look.numbers.symbols
        if symbols:
            symbol, seen = max(symbols.items(), key=lambda item: (item[1], item[0]))
            code = _SIGNS.get(symbol, symbol if symbol in CURRENCY_CODES else "")
            if code and seen >= 0.9 * sum(symbols.values()):
                sure = 0.98 if symbol in CURRENCY_CODES else _SURE_SIGNS.get(symbol, 0.6)
                return code, sure, f"amounts of {c.name} are written with {symbol}"
    for name in amount:
        codes = [word.upper() for word in words_of(name) if word.upper() in CURRENCY_CODES]
        if len(codes) == 1:
            return codes[0], 0.9, f"the name {name!r} says so"
    return "", 0.0, ""


def text_columns(side: SideProfile, taken: frozenset[str], ignored: frozenset[tuple[str, str]]) -> list[Column]:
    """Return the columns of a side that describe a row in words, at most three: named so, else free text."""
    usable = [
        c
        for c in side.columns
        if c.kind == "text"
        and c.name not in taken
        and (c.side, c.name) not in ignored
        and not is_technical(c.name)
        and c.filled_share >= 0.2
        and c.distinct >= 2
        and not c.is_currency
        and not c.is_digits
    ]
    named = [c for c in usable if says(c.name, "text", "name") and not says(c.name, "id")]
    free = [c for c in usable if c.is_free_text and not says(c.name, "date", "id", "status", "type", "store")]
    chosen = named or free
    ranked = sorted(chosen, key=lambda c: (not says(c.name, "text"), -c.distinct, c.name))[:3]
    return sorted(ranked, key=lambda c: c.name)


def unit_pairs(pairs: Sequence[ColumnPair], taken: frozenset[tuple[str, str]]) -> list[ColumnPair]:
    """Return the pairs of columns with few values, the same on both sides, that hint at the same thing."""
    units = []
    for pair in pairs:
        o, t = pair.ours, pair.theirs
        is_taken = (o.side, o.name) in taken or (t.side, t.name) in taken
        if is_taken or o.kind != "text" or t.kind != "text" or o.is_currency or o.is_free_text or t.is_free_text:
            continue
        is_few = min(o.distinct, t.distinct) >= 2 and max(o.distinct, t.distinct) <= UNIT_VALUES
        is_few = is_few and o.distinct <= 0.5 * o.rows and t.distinct <= 0.5 * t.rows
        if not is_few or pair.content < 0.15 or is_technical(o.name) or says(o.name, "status"):
            continue
        if pair.lift is None or pair.lift >= 0.3:
            units.append(pair)
    return sorted(units, key=lambda pair: (-pair.score, pair.ours.name))[:MAX_UNITS]


def describing_pairs(
    pairs: Sequence[ColumnPair], texts: frozenset[tuple[str, str]], ignored: frozenset[tuple[str, str]]
) -> list[ColumnPair]:
    """Return the pairs of columns of one name that tell what a row is about where no money does: city, email, birth."""
    chosen = []
    for pair in pairs:
        sides = ((pair.ours.side, pair.ours), (pair.theirs.side, pair.theirs))
        if pair.name < SAME_NAME or not (is_compatible(pair.ours, pair.theirs) or is_mistyped_birth(pair)):
            continue
        if any((side, c.name) in texts | ignored or not _describes(c) for side, c in sides):
            continue
        chosen.append(pair)
    return sorted(chosen, key=lambda pair: (-min(pair.ours.distinct, pair.theirs.distinct), pair.ours.name))[:MAX_UNITS]


def _describes(c: Column) -> bool:
    is_value = c.kind == "text" or is_birth(c) or is_year_or_age(c)
    return is_value and c.distinct >= 2 and c.filled_share >= 0.2 and not c.is_currency and not is_technical(c.name)


def is_birth(c: Column) -> bool:
    """Say whether a column has days of birth, which tell who someone is and not when something happened."""
    return c.kind == "date" and says(c.name, "birth")


def is_mistyped_birth(pair: ColumnPair) -> bool:
    """Say whether days of birth, written alike on both sides, are partly no days: 1853-81-01 still tells who it is."""
    columns = (pair.ours, pair.theirs)
    if not all(says(c.name, "birth") and is_text(c.source_type) for c in columns):
        return False
    are_text = [c.kind == "text" for c in columns]
    is_read_alike = pair.ours.type == pair.theirs.type and any(c.parsed < c.filled for c in columns)
    return is_read_alike or any(are_text)


def quantity_of(side: SideProfile, ignored: frozenset[tuple[str, str]]) -> Column | None:
    """Return the column of quantities of a side, by name."""
    return _named_number(side, "quantity", ignored)


def fee_of(side: SideProfile, amount: Sequence[str], ignored: frozenset[tuple[str, str]]) -> Column | None:
    """Return the column of fees of a side, by name, if it is not the amount itself."""
    found = _named_number(side, "fee", ignored)
    return None if found is None or found.name in amount else found


def rate_of(side: SideProfile, ignored: frozenset[tuple[str, str]]) -> Column | None:
    """Return the column of exchange rates of a side."""
    rates = [c for c in side.columns if is_rate(c) and c.parsed and (c.side, c.name) not in ignored and _is_exchange(c)]
    return min(rates, key=lambda c: c.name) if rates else None


def _is_exchange(c: Column) -> bool:
    words = set(words_of(c.name))
    told = {"exchange", "conversion", "fx", "kurs", "umrechnungskurs", "wechselkurs", "cambio", "cours", "taux"}
    return bool(words & told) or words <= {"rate", "rates"}


def _named_number(side: SideProfile, meaning: str, ignored: frozenset[tuple[str, str]]) -> Column | None:
    usable = [c for c in side.columns if c.kind == "number" and c.parsed and says(c.name, meaning)]
    usable = [c for c in usable if not is_technical(c.name) and (c.side, c.name) not in ignored]
    # The shortest name is the plainest: fee before fee_tax, quantity before quantity_shipped.
    return min(usable, key=lambda c: (len(words_of(c.name)), c.name)) if usable else None


def is_worth_comparing(pair: ColumnPair) -> bool:
    """Say whether two corresponding columns should hold the same values on matched rows."""
    if is_technical(pair.ours.name) or is_technical(pair.theirs.name):
        return False
    if pair.name >= 0.95:
        return True
    if pair.lift is not None and pair.rate is not None:
        return (pair.name >= 0.7 and pair.rate >= 0.2) or pair.lift >= 0.5
    return pair.name >= 0.7 or pair.content >= 0.6


def overlap_shares(overlaps: Overlaps) -> dict[tuple[int, int], Share | None]:
    """Return how far amounts meet by their values alone, as they stand."""
    return {nos: Share(SAME, o.row_share, 0.0) for nos, o in overlaps.items() if o.domain == "number"}
