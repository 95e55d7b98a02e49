"""The SQL steps of this book, in the folders of `sql`; the engine runs them and asserts their contracts."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from tieout.engine.steps import Step, StepContractBroken, parse_step


def sql_text(folder: str, name: str) -> str:
    """Return the text of one file of `sql`."""
    return (files("tieout.books.ads") / "sql" / folder / f"{name}.sql").read_text(encoding="utf-8")


@cache
def ads_step(folder: str, name: str) -> Step:
    """Read the step of that name from its folder under `sql`. Raises StepContractBroken."""
    step = parse_step(sql_text(folder, name))
    if step.name != name:
        raise StepContractBroken(f"File {folder}/{name}.sql calls itself {step.name}.", subject=name)
    return step
