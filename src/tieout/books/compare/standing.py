"""The decisions of reviewers that count in a comparison, and the scope that they count in."""

from __future__ import annotations

from tieout.books.compare import BOOK
from tieout.books.compare.receiving import DECISIONS
from tieout.books.workspace import Workspace
from tieout.engine.reviewed import Decisions, read_decisions
from tieout.store.review import Scope, standing_after
from tieout.store.runs import Run


def scope_of(ours_name: str, theirs_name: str) -> Scope:
    """Return the scope of reviewers' decisions about two inputs: their names, whatever is in the files by now.

    Rows of equal content under other names are another account's, and a decision about these says nothing of those.
    """
    return Scope(BOOK, f"{ours_name} ~ {theirs_name}")


def standing_decisions(workspace: Workspace, scope: Scope) -> Decisions | None:
    """Return the decisions that count now, None where there are none."""
    rulings = standing_after(workspace.store.reviews.standing(scope), ())
    return Decisions(rulings) if rulings else None


def decisions_of(workspace: Workspace, run: Run) -> Decisions | None:
    """Return the decisions that count in a run on record, None where there are none. Raises ArtifactRemoved."""
    given = next((given for given in run.inputs if given.side == DECISIONS), None)
    return None if given is None else read_decisions(workspace.store.artifacts.get(given.artifact_id).path)
