"""How facts are said to people: words for codes, numbers for reading, and text of strangers made harmless."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from tieout.core.money import format_micros, from_micros

PART_NAMES = (
    "rate",
    "volume",
    "fx",
    "timing",
    "fee",
    "duplicate",
    "missing",
    "unexpected",
    "unexplained",
)
"""The parts of a difference in the order in which every picture and table shows them."""

PART_WORDS = {
    "rate": "Rate",
    "volume": "Volume",
    "fx": "Exchange rate",
    "timing": "Timing",
    "fee": "Fees",
    "duplicate": "Duplicates",
    "missing": "Missing",
    "unexpected": "Unexpected",
    "unexplained": "Unexplained",
    "tolerated": "Within tolerance",
}

PART_MEANINGS = {
    "rate": "another price or rate per unit",
    "volume": "another quantity",
    "fx": "another exchange rate",
    "timing": "booked in another period",
    "fee": "a fee on one side",
    "duplicate": "the same row more than once",
    "missing": "we expected it, they do not report it",
    "unexpected": "they report it, we did not expect it",
    "unexplained": "no rule accounts for it",
    "tolerated": "too small to count as a difference",
}

KIND_WORDS = {
    "underpay": "Reported too little",
    "overpay": "Reported too much",
    "missing": "Missing on their side",
    "unexpected": "Unexpected on their side",
    "duplicate": "Duplicate",
    "timing_lag": "Timing",
    "currency_mismatch": "Currency differs",
    "value_mismatch": "Other value differs",
}

PASS_WORDS = {
    "reference": "Same reference",
    "group": "Same total of a group",
    "settlement": "Payments applied to invoices",
    "sum": "Rows that sum to one of the other side",
    "scored": "Similar date, amount and text",
    "reviewed": "Accepted by a reviewer",
}

DECIDED_WORDS = (
    ("accepted", "accepted"),
    ("rejected", "rejected"),
    ("left_aside", "left aside, for a row of it is not in the files"),
    ("not_followed", "rejected and settled all the same"),
)
"""What became of the decisions of reviewers, by the key in the summary."""

OUTCOME_WORDS = {"auto": "accepted", "review": "needs review"}

REASON_WORDS = {
    "missing": "No counterpart found",
    "unexpected": "No counterpart found",
    "duplicate": "Repeats another row",
    "timing_lag": "Counterpart not due yet",
    "review": "A possible counterpart awaits review",
}

APPLICATION_WORDS = {
    "full": "In full",
    "partial": "In part, the rest stays open",
    "short_payment": "Short, with a deduction",
    "discount": "Less a discount",
    "over_payment": "More than was open",
    "credit_note": "A credit note taken off",
}

SETTLED_WORDS = {
    "discount": "was taken as a discount",
    "short_payment": "was deducted",
    "partial_payment": "is still to be paid",
    "over_payment": "was paid beyond what was open",
    "not_applied": "of the payment was not applied",
}
"""What became of an amount that is left after payments were applied to invoices, by the reason of its delta."""

CHANGE_WORDS = {
    "reference_form": "Reference in another form",
    "amount_digits": "Two digits of the amount",
    "amount_sign": "Sign of the amount",
    "window_days": "Wider window",
    "tolerance": "Larger tolerance",
    "reference": "Characters of the reference",
    "reference_part": "One column of the key",
    "review_threshold": "Lower review threshold",
    "date": "Date",
    "currency": "Currency",
    "amount": "Amount",
    "text": "Text",
    "other_reference": "Another reference",
    "taken_reference": "Its reference is taken",
    "taken": "Its partner is taken",
    "nothing_near": "Nothing near",
}
"""What would match an unmatched row, by the kind of the change."""

RULE_WORDS = {
    "window": "window of {to} days instead of {from}",
    "tolerance": "tolerance of {to} instead of {from}",
    "review": "review from {to} instead of {from}",
    "auto": "accept from {to} instead of {from}",
    "form": "references compared {to} instead of as {from}",
}
GAIN_WORDS = {
    "window": ("row a side would match", "rows a side would match"),
    "tolerance": ("difference would be forgiven", "differences would be forgiven"),
    "review": ("row a side would be proposed", "rows a side would be proposed"),
    "auto": ("match would need no person", "matches would need no person"),
    "form": ("row a side would match", "rows a side would match"),
}
BASIS_WORDS = {"exact": "", "bound": "at most", "estimate": "about"}
"""How far a figure of what another rule would do is to be trusted."""

SIDE_WORDS = {"ours": "Ours", "theirs": "Theirs", "advice": "Advice"}

# Terminal escape sequences whole, so that stripping leaves no "[31m" behind: CSI, then OSC and its kin, then the rest.
_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)|\x9b[0-?]*[ -/]*[@-~]|\x1b.", re.DOTALL)
_SPACE = re.compile(r"\s+")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs"})
# Joiners that languages need; every other format character (direction overrides among them) can only deceive.
_KEPT = frozenset({"\u200c", "\u200d"})


def plain(text: object, limit: int = 0) -> str:
    """Return text of a stranger on one line, without escape sequences, control or direction characters.

    With `limit`, at most that many characters, the last an ellipsis when something was cut.
    """
    if text is None:
        return ""
    raw = str(text)
    # Cut before the slow part: a field may hold megabytes, and a sequence longer than this is no text.
    if limit:
        raw = raw[: 8 * limit + 256]
    line = _ESCAPE.sub("", raw)
    if not (line.isascii() and line.isprintable()):
        line = "".join(letter for letter in line if _is_shown(letter))
    line = _SPACE.sub(" ", line).strip()
    return line if not limit or len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _is_shown(letter: str) -> bool:
    return letter.isspace() or letter in _KEPT or unicodedata.category(letter) not in _INVISIBLE


def humanise(code: object, words: Mapping[str, str]) -> str:
    """Return the words for a code, or the code itself as words when there are none."""
    key = plain(code, 80)
    return words.get(key) or key.replace("_", " ").capitalize()


def money(amount: Decimal | int | str | None, *, sign: bool = False) -> str:
    """Return an amount in units for reading: grouped, exact, at least two decimals; with `sign` a plus is shown too."""
    if amount is None:
        return ""
    value = Decimal(amount)
    whole, _, fraction = f"{value:,.6f}".partition(".")
    text = f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"
    if not value:
        return text.removeprefix("-")
    return f"+{text}" if sign and value > 0 else text


def money_of_micros(micros: int | None, *, sign: bool = False) -> str:
    """Return micros as `money` does."""
    if micros is None:
        return ""
    text = format_micros(int(micros))
    return f"+{text}" if sign and micros > 0 else text


def short_money(micros: int) -> str:
    """Return micros for a label in a picture: exact while it is short, else three digits and more with k, m, bn, tn."""
    value = abs(from_micros(int(micros)))
    mark = "\u2212" if micros < 0 else ""
    if value < 1_000_000:
        return mark + f"{value:,.2f}"
    for bound, suffix in ((10**12, "tn"), (10**9, "bn"), (10**6, "m")):
        if value >= bound:
            return f"{mark}{value / bound:,.2f}{suffix}"
    raise AssertionError(micros)


def count(number: int | None) -> str:
    """Return a count, grouped."""
    return f"{int(number or 0):,}"


def counted(number: int | None, one: str, many: str = "") -> str:
    """Return a count with its noun: `1 row`, `2 rows`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def confidence(value: float | None) -> str:
    """Return a confidence in percent; 100% is said only of certainty."""
    if value is None:
        return ""
    percent = min(int(value * 100 + 0.5), 99) if value < 1 else 100
    return f"{percent}%"


def size(bytes_: int | None) -> str:
    """Return a size in bytes, kB, MB or GB."""
    number = int(bytes_ or 0)
    for bound, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if number >= bound:
            return f"{number / bound:.1f} {unit}"
    return counted(number, "byte")


def currency_name(code: object) -> str:
    """Return a currency for reading; a leg without one has plain amounts."""
    return plain(code, 20) or "no currency"


def join_words(parts: Iterable[str]) -> str:
    """Join phrases as a sentence does: `a, b and c`."""
    said = list(parts)
    return said[0] if len(said) == 1 else " and ".join(part for part in (", ".join(said[:-1]), *said[-1:]) if part)


def explain_delta(delta: Mapping[str, Any]) -> str:
    """Say in words why a difference exists, from its kind, its reason, its two amounts and its parts."""
    parts = {name: int(delta.get(f"{name}_micros") or 0) for name in PART_NAMES}
    named = {name: micros for name, micros in parts.items() if micros}
    said = _say_amounts(delta) if delta["kind"] in {"underpay", "overpay"} else _say_kind(delta)
    # A lone part under the name of the kind says nothing that the sentence did not.
    if named and not (len(named) == 1 and set(named) <= _TOLD_BY_KIND):
        shares = (f"{PART_WORDS[name].lower()} {money_of_micros(micros)}" for name, micros in named.items())
        said += f" Of this {join_words(shares)}."
    return said


_TOLD_BY_KIND = frozenset({"timing", "duplicate", "missing", "unexpected", "unexplained"})


def _say_amounts(delta: Mapping[str, Any]) -> str:
    ours, theirs = delta.get("ours_amount_micros"), delta.get("theirs_amount_micros")
    amount = money_of_micros(abs(int(delta["amount_micros"])))
    way = "less" if delta["kind"] == "underpay" else "more"
    whole = "in total " if str(delta.get("reason_code", "")).startswith("group_") else ""
    if told := SETTLED_WORDS.get(str(delta.get("reason_code"))):
        return f"{amount} {told}."
    if ours is None or theirs is None:
        side = "our" if ours is None else "their"
        return f"The row on {side} side has no amount: {amount} {way} than expected."
    if ours == -theirs:
        return f"We expected {money_of_micros(ours)}, they report the same with the opposite sign."
    swapped = ", two digits having changed places" if delta.get("reason_code") == "digits_swapped" else ""
    return (
        f"We expected {whole}{money_of_micros(ours)}, they report {whole}{money_of_micros(theirs)}: "
        f"{amount} {way} than expected{swapped}."
    )


def _say_kind(delta: Mapping[str, Any]) -> str:
    side, other = ("our", "their") if delta.get("theirs_row") is None else ("their", "our")
    said = {
        "missing": "We expected it; nothing on their side corresponds.",
        "unexpected": "They report it; nothing on our side corresponds.",
        "duplicate": f"Another row on {side} side says the same and stands for it.",
        "timing_lag": f"So close to the end of what {other} side covers that its counterpart may lie beyond it.",
        "currency_mismatch": "The two rows belong together but are in different currencies; each stands in its own.",
        "value_mismatch": f"The amounts agree; {_say_columns(str(delta.get('reason_code', '')))}.",
    }.get(delta["kind"], f"{humanise(delta['kind'], KIND_WORDS)}.")
    if delta.get("reason_code") == "reversed":
        said = f"A booking and its reversal on {side} side cancel each other; {other} side has neither."
    return f"{said} It has no amount." if delta.get("amount_micros") is None else said


def _say_columns(reason_code: str) -> str:
    _, found, names = plain(reason_code, 160).partition("columns:")
    columns = names.split(",") if found else ["another compared value"]
    return f"{join_words(columns)} {'does' if len(columns) == 1 else 'do'} not"


def explain_change(row: Mapping[str, Any]) -> str:
    """Say what would match an unmatched row, from a row of the fact `why_not`; values of strangers made harmless."""
    kind, size = str(row["kind"]), row["size"]
    before, after = (plain(row[name], 60) for name in ("from_value", "to_value"))
    other = "theirs" if row["side"] == "ours" else "ours"
    partner = f"row {row['partner_row']} of {other}"
    if kind == "nothing_near":
        return f"nothing near among {plain(row['searched'], 240)}"
    if kind == "taken":
        return f"{partner} is taken by row {row['rival_row']}: {after} against {before} of this row"
    if kind == "taken_reference":
        apart = f" ({after} apart in amount; this row {before})" if before != after else ""
        return f"{partner}, which has its reference, is taken by row {row['rival_row']}{apart}"
    changes = {
        "reference_form": f"the same reference written as {after} instead of {before}",
        "window_days": f"a window of {after} days instead of {before}",
        "tolerance": f"a tolerance of {after} instead of {before}, for the rows with its reference together",
        "review_threshold": f"a review threshold of {after} instead of {before}",
        "reference": f"{counted(size or 0, 'character')} of the reference: {after} instead of {before}",
        "reference_part": f"one column of the key: {after} instead of {before}",
        "amount_digits": f"two digits that changed places: {after} instead of {before}",
        "amount_sign": f"the sign: {after} instead of {before}",
        "date": f"a date {counted(size or 0, 'day')} away: {after} instead of {before}",
        "currency": f"the currency {after or 'none'} instead of {before or 'none'}",
        "amount": f"an amount of {after} instead of {before}",
        "text": f"the text {after} instead of {before}",
        "other_reference": f"another reference, for all else agrees: {after} instead of {before}",
    }
    said = f"{changes[kind]} would match {partner}"
    return said if row["certainty"] == "certain" else f"{said}, unless another row is the better match"


def tell_rule_change(change: Mapping[str, Any]) -> tuple[str, str]:
    """Say what another setting of a rule is, and what it would explain in rows and money, from the summary."""
    setting = RULE_WORDS[change["rule"]].format(**{"from": change["from"], "to": change["to"]})
    amounts = list(change["amounts"].items())
    told = [f"{money(amount)} {plain(currency, 12)}".strip() for currency, amount in amounts[:2]]
    rest = f" and {counted(len(amounts) - 2, 'more currency', 'more currencies')}" if len(amounts) > 2 else ""
    gain = f"{BASIS_WORDS[change['basis']]} {counted(change['ours_rows'], *GAIN_WORDS[change['rule']])}".strip()
    return setting, f"{gain}: {', '.join(told)}{rest}"
