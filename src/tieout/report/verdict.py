"""What a summary says when asked in words: the verdict, and what to look at first."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tieout.report import words

MAX_CURRENCIES_TOLD = 3
MAX_COLUMNS_TOLD = 4


def tell_verdict(summary: Mapping[str, Any]) -> list[str]:
    """Say the result in a few short sentences, the most important first."""
    if summary["result"] == "ties_out":
        if not summary["ours"]["rows"] and not summary["theirs"]["rows"]:
            return ["Neither side has a row."]
        said = [_tell_agreement(summary["plan"])]
        tolerated = [item for item in summary["currencies"] if Decimal(item["tolerated"])]
        return [*said, "Gaps within the tolerance were accepted."] if tolerated else said
    found = sum(item["count"] for item in summary["deltas"])
    said = [f"{words.counted(found, 'difference')} found." if found else _tell_no_difference(summary["plan"])]
    moved = [_tell_gap(item) for item in summary["currencies"] if Decimal(item["difference"])]
    said += moved[:MAX_CURRENCIES_TOLD]
    if len(moved) > MAX_CURRENCIES_TOLD:
        said.append(f"{words.counted(len(moved) - MAX_CURRENCIES_TOLD, 'more currency', 'more currencies')} differ.")
    if found and not summary["currencies"]:
        said.append("No amounts were compared.")
    elif found and not moved:
        said.append("The totals agree all the same: the differences cancel out or are not in money.")
    refused = sum(count for count in summary["quarantine"].values() if isinstance(count, int))
    waiting = [
        words.counted(number, one, many)
        for number, one, many in (
            (summary["review"]["matches"], "match to review", "matches to review"),
            (refused, "row that could not be read", "rows that could not be read"),
            (
                summary["checks"]["failed"],
                "failed check of a file on itself",
                "failed checks of the files on themselves",
            ),
        )
        if number
    ]
    if waiting:
        said.append(f"There {'is' if waiting[0].startswith('1 ') else 'are'} {words.join_words(waiting)}.")
    return said


def tell_decisions(summary: Mapping[str, Any]) -> str:
    """Say how many pairs a reviewer decided; nothing where none did."""
    review = summary["review"]
    told = [f"{words.count(review[key])} {said}" for key, said in words.DECIDED_WORDS if review.get(key)]
    if not told:
        return ""
    relearned = " The weights were learned anew with them." if review.get("relearned") else ""
    return f"Pairs decided by a reviewer: {', '.join(told)}.{relearned}"


def _tell_no_difference(plan: Mapping[str, Any]) -> str:
    return "Every amount agrees." if _has_amounts(plan) else "No difference found; no amounts were compared."


def _has_amounts(plan: Mapping[str, Any]) -> bool:
    return all(plan.get(side, {}).get("amount", True) for side in ("ours", "theirs"))


def _tell_agreement(plan: Mapping[str, Any]) -> str:
    """Say what agrees, and no more: where no amount or no column at all was held against another, that it was not."""
    if _has_amounts(plan):
        return "Every row of both sides corresponds, and every amount agrees."
    if compared := plan.get("compared"):
        columns = words.join_words(list(compared)) if len(compared) <= MAX_COLUMNS_TOLD else f"{len(compared)} columns"
        return f"Every row of both sides corresponds and agrees in {columns}; no amounts were compared."
    keys = words.join_words(list(plan.get("ours", {}).get("key") or plan.get("ours", {}).get("group") or ["key"]))
    return f"Only the keys were checked: every {keys} is on both sides. No amount or other column was compared."


def _tell_gap(item: Mapping[str, Any]) -> str:
    amount = Decimal(item["difference"])
    said = f"they report {words.money(abs(amount))} {'less' if amount > 0 else 'more'} than we expected."
    return f"In {words.currency_name(item['currency'])} {said}" if item["currency"] else said.capitalize()


def sort_decisions(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what was decided for the user, the least sure first."""
    return sorted(summary["plan"].get("decisions", ()), key=lambda item: (item["confidence"], item["subject"]))


def rank_currencies(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the currencies with differences, the one with the most differences first."""
    counts = deltas_by_currency(summary)
    differing = [item for item in summary["currencies"] if counts.get(item["currency"]) or Decimal(item["difference"])]
    return sorted(differing, key=lambda item: (-counts.get(item["currency"], 0), item["currency"]))


def deltas_by_currency(summary: Mapping[str, Any]) -> dict[str, int]:
    """Return how many differences each currency has."""
    counts: dict[str, int] = {}
    for item in summary["deltas"]:
        counts[item["currency"]] = counts.get(item["currency"], 0) + item["count"]
    return counts
