"""What another rule would change: the same files run again with it beside the run on record, in money and rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, get_args

from tieout.books.compare.again import run_in_scratch
from tieout.books.compare.options import parse_tolerance
from tieout.books.workspace import Progress, Workspace
from tieout.core.errors import TieoutError
from tieout.engine.plan import Plan, ReferenceForm, Rules
from tieout.engine.plan_check import MAX_WINDOW_DAYS
from tieout.engine.plan_file import plan_from_toml
from tieout.store.runs import Run

USUAL = "usual"
"""In place of a rule: try each of those that most often change a result."""
BEST = "best"
"""In place of a rule: try those that the run itself says would explain most."""
BEST_COUNT = 3


class BadWhatIf(TieoutError):
    """What to change is neither a rule nor one of its values."""

    code = "bad_what_if"


@dataclass(frozen=True)
class Figures:
    """What of a result is weighed: rows with and without a match, and the money of differences by kind and currency."""

    matched: int
    review: int
    unmatched: int
    counts: Mapping[tuple[str, str], int]
    amounts: Mapping[tuple[str, str], Decimal]

    @property
    def differing(self) -> dict[str, Decimal]:
        """How much money differs in each currency, the kinds added without their signs."""
        money: dict[str, Decimal] = {}
        for (_, currency), amount in sorted(self.amounts.items()):
            money[currency] = money.get(currency, Decimal(0)) + abs(amount)
        return money


@dataclass(frozen=True)
class WhatIf:
    """One change of a rule, and the figures before and after."""

    change: str
    before: Figures
    after: Figures

    @property
    def explains(self) -> float:
        """How much less differs after the change, as shares of what differed before, the currencies added up."""
        after = self.after.differing
        return sum(
            float((amount - after.get(currency, Decimal(0))) / amount)
            for currency, amount in self.before.differing.items()
            if amount
        )


def try_changes(
    workspace: Workspace, run: Run, changes: Sequence[str], on_step: Progress = lambda _: None
) -> list[WhatIf]:
    """Run the files of `run` again with each change of its plan alone, what explains most first. Publishes nothing.

    Weights that the run was given stay, those that it learned are learned anew. A change is RULE=VALUE (window,
    tolerance, auto, review or form), `usual` for those most often worth trying, or `best` for those that the run names.
    Raises BadWhatIf before anything is run.
    """
    plan = plan_from_toml(run.config)
    asked = [change for given in changes for change in _asked(given, plan.rules, run)]
    plans = {change: _changed(plan, change) for change in dict.fromkeys(asked)}
    before = figures_of(run.summary or {})
    found = []
    for change, changed in plans.items():
        on_step(f"what if {change}")
        outcome = run_in_scratch(workspace, run, changed, on_step)
        found.append(WhatIf(change, before, figures_of(outcome.summary)))
    return sorted(found, key=lambda item: (-item.explains, item.change))


def figures_of(summary: Mapping[str, Any]) -> Figures:
    """Return the figures of a run's summary."""
    deltas = summary["deltas"]
    return Figures(
        matched=int(summary["matched"]["matches"]),
        review=int(summary["review"]["matches"]),
        unmatched=int(summary["ours"]["unmatched"]) + int(summary["theirs"]["unmatched"]),
        counts={(row["kind"], row["currency"]): int(row["count"]) for row in deltas},
        amounts={(row["kind"], row["currency"]): Decimal(row["amount"] or 0) for row in deltas},
    )


def _asked(given: str, rules: Rules, run: Run) -> list[str]:
    if given == BEST:
        named = (run.summary or {}).get("why_not", {}).get("rules", [])
        return [str(change["what_if"]) for change in named[:BEST_COUNT]]
    return _usual(rules) if given == USUAL else [given]


def _usual(rules: Rules) -> list[str]:
    """Return the changes that are worth a try: a wider window, forgiven gaps, and more or less taken as sure."""
    wider = min(max(2 * rules.window_days, rules.window_days + 3), MAX_WINDOW_DAYS)
    tolerances = [text for text in ("0.01", "0.5%", "2%") if parse_tolerance([text]) != _tolerance(rules)]
    thresholds = [f"auto={value}" for value in (0.5, 0.95) if value != rules.auto_threshold]
    return [f"window={wider}", *(f"tolerance={text}" for text in tolerances), *thresholds]


def _tolerance(rules: Rules) -> tuple[int, int]:
    return rules.tolerance_micros, rules.tolerance_ppm


def _window(rules: Rules, value: str) -> Rules:
    if not value.isdecimal() or int(value) > MAX_WINDOW_DAYS:
        raise _bad("window", value, f"a number of days from 0 to {MAX_WINDOW_DAYS:,}")
    return replace(rules, window_days=int(value))


def _tolerated(rules: Rules, value: str) -> Rules:
    micros, ppm = parse_tolerance(value.split("+"))
    return replace(rules, tolerance_micros=micros, tolerance_ppm=ppm)


def _auto(rules: Rules, value: str) -> Rules:
    share = _share("auto", value)
    return replace(rules, auto_threshold=share, review_threshold=min(rules.review_threshold, share))


def _review(rules: Rules, value: str) -> Rules:
    share = _share("review", value)
    return replace(rules, review_threshold=share, auto_threshold=max(rules.auto_threshold, share))


def _form(rules: Rules, value: str) -> Rules:
    for form in get_args(ReferenceForm):
        if form == value:
            return replace(rules, reference_form=form)
    raise _bad("form", value, f"one of {', '.join(get_args(ReferenceForm))}")


def _share(rule: str, value: str) -> float:
    try:
        share = float(value)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise _bad(rule, value, "a confidence from 0 to 1")
    return share


_RULES: dict[str, Callable[[Rules, str], Rules]] = {
    "window": _window,
    "tolerance": _tolerated,
    "auto": _auto,
    "review": _review,
    "form": _form,
}


def _changed(plan: Plan, change: str) -> Plan:
    rule, mark, value = change.partition("=")
    if not mark or rule not in _RULES:
        raise BadWhatIf(
            f"{change!r} changes no rule.",
            subject=change,
            remedy=f"Give RULE=VALUE with one of {', '.join(_RULES)}, such as window=10 or tolerance=1%, or {USUAL}, or"
            f" {BEST}.",
        )
    return replace(plan, rules=_RULES[rule](plan.rules, value))


def _bad(rule: str, value: str, wanted: str) -> BadWhatIf:
    return BadWhatIf(f"{value!r} is no value for {rule}.", subject=f"{rule}={value}", remedy=f"Give {wanted}.")
