"""Plans that are kept in files: use one again, with the rules that the user gives now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tieout.books.compare.infer import InferOptions
from tieout.core.errors import TieoutError
from tieout.engine.plan import Plan
from tieout.engine.plan_file import plan_from_toml, plan_to_toml


class PlanUnreadable(TieoutError):
    """A plan file cannot be read."""

    code = "plan_unreadable"


class PlanSettled(TieoutError):
    """An option about columns was given beside a plan that settles the columns."""

    code = "plan_settled"


def chosen_plan(path: Path, options: InferOptions) -> Plan:
    """Return the plan of the file, its tolerance and window replaced by those given.

    Raises PlanUnreadable, and PlanSettled for an option that the plan has settled.
    """
    try:
        plan = plan_from_toml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PlanUnreadable(f"The plan {path} cannot be read: {error}.", subject=str(path)) from error
    settled = {
        "--on": options.on,
        "--amount": options.amount,
        "--date": options.date,
        "--currency": options.currency,
        "--scale": options.scale,
        "--fee": options.fee,
        "--direction": options.direction,
        "--text": options.text,
        "--group-by": options.group_by,
        "--number-format": options.number_format,
        "--date-format": options.date_format,
        "--ignore": options.ignore,
        "--advice-payment": options.advice_payment,
        "--advice-invoice": options.advice_invoice,
        "--advice-amount": options.advice_amount,
    }
    for option, given in settled.items():
        if given:
            raise PlanSettled(
                f"{option} is settled by the plan {path}.",
                subject=option,
                remedy=f"Edit the plan, or leave {option} out, or name a file that does not exist yet to infer anew.",
            )
    rules = plan.rules
    if options.tolerance_micros is not None or options.tolerance_ppm is not None:
        micros, ppm = options.tolerance_micros or 0, options.tolerance_ppm or 0
        rules = replace(rules, tolerance_micros=micros, tolerance_ppm=ppm)
    if options.window_days is not None:
        rules = replace(rules, window_days=options.window_days)
    return replace(plan, rules=rules)


def save_plan(plan: Plan, path: Path) -> None:
    """Write the plan to `path`. Raises PlanUnreadable when that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(plan_to_toml(plan), encoding="utf-8")
    except OSError as error:
        raise PlanUnreadable(
            f"The plan cannot be saved to {path}: {error.strerror}.", subject=str(path), remedy="Name another file."
        ) from error
