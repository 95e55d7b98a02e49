"""Evidence in plain words: the same phrases wherever a decision is explained."""

from __future__ import annotations

from tieout.books.compare.column_profile import Column
from tieout.books.compare.evidence import KeyOverlap
from tieout.engine.plan import Decision


def count(number: int) -> str:
    """Return a number with its thousands set off."""
    return f"{number:,}"


def percent(share: float) -> str:
    """Return a share as a percentage that is only 100% (or 0%) when it is whole."""
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    shown = min(99.9, max(0.1, share * 100))
    return f"{shown:.1f}%".replace(".0%", "%")


def rows(number: int) -> str:
    """Return a number of rows in words."""
    return "1 row" if number == 1 else f"{count(number)} rows"


def days_told(days: int) -> str:
    """Return a number of days in words."""
    return "1 day" if days == 1 else f"{days} days"


def time_told(seconds: int) -> str:
    """Return a stretch of time in the largest unit that it is a whole number of."""
    unit, size = next(item for item in (("hour", 3600), ("minute", 60), ("second", 1)) if seconds % item[1] == 0)
    number = seconds // size
    return f"1 {unit}" if number == 1 else f"{count(number)} {unit}s"


def pair_label(ours: Column | None, theirs: Column | None) -> str:
    """Return a column of ours and one of theirs by name, once where it is the same."""
    left, right = (c.name if c is not None else "none" for c in (ours, theirs))
    return left if left == right else f"{left} = {right}"


def uniqueness(overlap: KeyOverlap) -> str:
    """Say how unique a key is on each side and how many values both share."""
    ours, theirs = overlap.ours_uniqueness, overlap.theirs_uniqueness
    if ours == theirs == 1.0:
        unique = "unique on both sides"
    else:
        unique = f"unique in {percent(ours)} of ours and {percent(theirs)} of theirs"
    smaller = min(overlap.ours_distinct, overlap.theirs_distinct)
    copies = " and ".join(
        f"{rows(number)} of {side}"
        for number, side in ((overlap.ours_copies, "ours"), (overlap.theirs_copies, "theirs"))
        if number
    )
    aside = f" ({copies} set aside as exact copies)" if copies else ""
    return f"{unique}{aside}, {count(overlap.common)} of {count(smaller)} values in common"


def decided(subject: str, choice: str, confidence: float, evidence: str, option: str) -> Decision:
    """Return a decision; its confidence has two decimals, so that it reads and compares well."""
    return Decision(subject, choice, round(min(max(confidence, 0.0), 1.0), 2), evidence, option)
