"""The yes that a command needs before it does what cannot be taken back."""

from __future__ import annotations

import sys

import typer

from tieout.core.errors import TieoutError


class AgreementNeeded(TieoutError):
    """What is to be done has to be agreed to, and there is no terminal to ask at."""

    code = "agreement_needed"


def is_wanted(question: str, *, is_dry_run: bool, is_agreed: bool) -> bool:
    """Whether to go on: not in a dry run, without asking after `--yes`, else as the person at the terminal says.

    Raises AgreementNeeded where nobody can be asked.
    """
    if is_dry_run or is_agreed:
        return not is_dry_run
    if not sys.stdin.isatty():
        raise AgreementNeeded(
            "This needs a yes, and there is no terminal to ask at.",
            remedy="Give --yes to do it, or --dry-run to see only what it would do.",
        )
    return typer.confirm(question, err=True)
