"""Evidence in plain words: the same phrases wherever a decision is explained."""

from __future__ import annotations

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
