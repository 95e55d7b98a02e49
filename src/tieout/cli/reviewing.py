"""`tieout review`: what waits, what a decision would do, what was decided."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieout.books.compare import BOOK
from tieout.books.compare.actions import Compared
from tieout.books.compare.review_rows import RowFacts, Waiting, list_waiting, run_to_review
from tieout.books.compare.reviewing import Effect, Proposal, decide, effect_of, parse_pairs, propose
from tieout.books.workspace import Workspace
from tieout.cli.agreement import AgreementNeeded
from tieout.cli.app import print_json
from tieout.cli.progress import stepping
from tieout.core.errors import EXIT_DIFFERENCES, EXIT_OK
from tieout.report.words import plain
from tieout.store.review import Draft, ReviewDecision, Ruling, Scope

SHORT_ID = 12
MAX_NAMED = 10
EXIT_NOTHING_STORED = EXIT_DIFFERENCES

VERBS: dict[Ruling, str] = {"accepted": "accept", "rejected": "reject", "undone": "undo"}
CHANGE_WORDS = {
    "becomes_automatic": "pairs to review that become automatic",
    "no_pair_any_more": "pairs to review that go",
    "waits_now": "pairs that come to be reviewed",
    "finds_partner": "unmatched rows that find a partner",
    "loses_partner": "matched rows that lose their partner",
}


@dataclass(frozen=True)
class Asked:
    """What a reviewer asks for on the command line."""

    ruling: Ruling
    run_id: str
    pairs: tuple[str, ...]
    is_dry_run: bool
    is_agreed: bool
    is_rerun: bool


def show_waiting(workspace: Workspace, prefix: str | None, *, limit: int, as_json: bool) -> None:
    """Show the pairs of a run that wait for a person."""
    waiting = list_waiting(workspace, run_to_review(workspace, prefix), limit=limit)
    if as_json:
        print_json(_waiting_as_json(waiting))
        return
    console, short = Console(), waiting.run.run_id[:SHORT_ID]
    if not waiting.pairs:
        console.print(Text(f"No pair of run {short} waits for a reviewer."))
    else:
        console.print(_waiting_table(waiting))
        console.print(
            Text(f"tieout review accept {short} OURS:THEIRS says that a pair belongs together, reject the opposite.")
        )
    if waiting.settlements:
        console.print(Text(f"{waiting.settlements:,} matches by settlement wait as well: correct their advice."))


def _waiting_table(waiting: Waiting) -> Table:
    shown = f"{len(waiting.pairs):,} of " if len(waiting.pairs) < waiting.total else ""
    title = f"run {waiting.run.run_id[:SHORT_ID]}: {shown}{waiting.total:,} pairs to review"
    table = Table("pair", title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("money", justify="right")
    for name in ("sure", "others"):
        table.add_column(name, justify="right")
    table.add_column("ours")
    table.add_column("theirs")
    for pair in waiting.pairs:
        money = "" if pair.money is None else f"{pair.money:,.2f} {pair.currency}".strip()
        table.add_row(
            f"{pair.ours.row}:{pair.theirs.row}",
            money,
            f"{pair.confidence:.0%}",
            str(pair.alternatives),
            Text(plain(pair.ours.told, 60)),
            Text(plain(pair.theirs.told, 60)),
        )
    return table


def _waiting_as_json(waiting: Waiting) -> dict[str, Any]:
    return {
        "run_id": waiting.run.run_id,
        "total": waiting.total,
        "settlements": waiting.settlements,
        "pairs": [
            {
                "pair": f"{pair.ours.row}:{pair.theirs.row}",
                "ours": _row_as_json(pair.ours),
                "theirs": _row_as_json(pair.theirs),
                "confidence": pair.confidence,
                "alternatives": pair.alternatives,
                "money": None if pair.money is None else str(pair.money),
                "currency": pair.currency,
                "others": [dict(one) for one in pair.others],
            }
            for pair in waiting.pairs
        ],
    }


def _row_as_json(row: RowFacts) -> dict[str, Any]:
    return {
        "row": row.row,
        "day": row.day,
        "amount": None if row.amount is None else str(row.amount),
        "currency": row.currency,
        "ref": row.ref,
        "text": row.text,
    }


def decide_pairs(workspace: Workspace, asked: Asked, *, as_json: bool) -> int:
    """Show what decisions would do and, once that is agreed to, store them and run again; return the exit code."""
    found = workspace.store.runs.find_run(asked.run_id, book=BOOK)
    proposal = propose(workspace, found, asked.ruling, parse_pairs(asked.pairs))
    is_asking = not asked.is_dry_run and not asked.is_agreed
    if is_asking and not sys.stdin.isatty():
        raise AgreementNeeded(
            "A decision needs a yes, and there is no terminal to ask at.",
            subject=" ".join(asked.pairs),
            remedy="Give --yes to store it, or --dry-run to see only what it would do.",
        )
    with stepping() as on_step:
        effect = effect_of(workspace, proposal, on_step) if proposal.drafts else None
    if effect is None:
        return _show_nothing_new(asked, as_json=as_json)
    if not as_json:
        _show_effect(Console(), proposal, effect, asked.ruling)
    if asked.is_dry_run or (is_asking and not typer.confirm(_question(asked, len(proposal.drafts)), err=True)):
        return _show_end(proposal, effect, None, asked, is_stored=False, as_json=as_json)
    with stepping() as on_step:
        done = decide(workspace, proposal, is_rerun=asked.is_rerun, on_step=on_step)
    return _show_end(proposal, effect, done, asked, is_stored=True, as_json=as_json)


def _question(asked: Asked, count: int) -> str:
    what = "it" if count == 1 else f"all {count}"
    return f"{VERBS[asked.ruling].capitalize()} {what}" + (" and run again?" if asked.is_rerun else "?")


def _show_nothing_new(asked: Asked, *, as_json: bool) -> int:
    if as_json:
        print_json({"stored": False, "pairs": [], "run_id": None})
    else:
        Console().print(Text(f"Nothing to do: {', '.join(asked.pairs)} {_is_are(asked.pairs)} {asked.ruling} already."))
    return EXIT_NOTHING_STORED


def _is_are(items: Sequence[object]) -> str:
    return "is" if len(items) == 1 else "are"


def _show_effect(console: Console, proposal: Proposal, effect: Effect, ruling: Ruling) -> None:
    for draft in proposal.drafts[:MAX_NAMED]:
        console.print(Text(f"{VERBS[ruling]} {_named(draft)}", style="bold"))
        console.print(Text(f"  ours:   {plain(draft.seen.ours_told, 100)}"))
        console.print(Text(f"  theirs: {plain(draft.seen.theirs_told, 100)}"))
    if len(proposal.drafts) > MAX_NAMED:
        console.print(Text(f"… and {len(proposal.drafts) - MAX_NAMED:,} more"))
    console.print(_effect_table(proposal, effect))
    if effect.left_aside:
        console.print(Text(f"{effect.left_aside:,} decisions are left aside: a row of theirs is not in the files."))


def _effect_table(proposal: Proposal, effect: Effect) -> Table:
    title = f"what that does to run {proposal.target.run_id[:SHORT_ID]}"
    table = Table("", title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("number", justify="right")
    table.add_column("money", justify="right")
    for change, words in CHANGE_WORDS.items():
        found = [one for one in effect.changes if one.change == change]
        for one in found:
            table.add_row(words, f"{one.rows:,}", f"{one.money:,.2f} {one.currency}".strip())
        if not found:
            table.add_row(words, "0", "")
    before, after = effect.before, effect.after
    table.add_row("pairs to review", f"{before.review:,} → {after.review:,}", "")
    table.add_row("unmatched rows", f"{before.unmatched:,} → {after.unmatched:,}", "")
    table.add_row("differences", f"{sum(before.counts.values()):,} → {sum(after.counts.values()):,}", "")
    for currency, was, now in effect.differing:
        table.add_row("money that differs", f"{was:,.2f} → {now:,.2f}", f"{now - was:+,.2f} {currency}".strip())
    return table


def _show_end(
    proposal: Proposal, effect: Effect, done: Compared | None, asked: Asked, *, is_stored: bool, as_json: bool
) -> int:
    if as_json:
        print_json(_decided_as_json(proposal, effect, done, asked, is_stored=is_stored))
    elif not is_stored:
        Console().print(Text("A dry run: nothing was stored." if asked.is_dry_run else "Nothing was stored."))
    else:
        count = len(proposal.drafts)
        told = f"Stored: {count:,} {'pair' if count == 1 else 'pairs'} {asked.ruling}."
        told += f" Run {done.run.run_id[:SHORT_ID]} is published with that." if done else " The next run follows it."
        Console().print(Text(told))
    return EXIT_OK if is_stored else EXIT_NOTHING_STORED


def _decided_as_json(
    proposal: Proposal, effect: Effect, done: Compared | None, asked: Asked, *, is_stored: bool
) -> dict[str, Any]:
    before, after = effect.before, effect.after
    return {
        "ruling": asked.ruling,
        "pairs": [_named(draft) for draft in proposal.drafts],
        "target": proposal.target.run_id,
        "stored": is_stored,
        "run_id": done.run.run_id if done else None,
        "effect": {
            "changes": [
                {"change": one.change, "currency": one.currency, "count": one.rows, "money": str(one.money)}
                for one in effect.changes
            ],
            "review": {"before": before.review, "after": after.review},
            "unmatched": {"before": before.unmatched, "after": after.unmatched},
            "differences": {"before": sum(before.counts.values()), "after": sum(after.counts.values())},
            "differing": [
                {"currency": currency, "before": str(was), "after": str(now)} for currency, was, now in effect.differing
            ],
            "left_aside": effect.left_aside,
        },
    }


def _named(draft: Draft | ReviewDecision) -> str:
    return f"{draft.seen.ours_row}:{draft.seen.theirs_row}"


def show_decisions(workspace: Workspace, *, limit: int, as_json: bool) -> None:
    """Show what reviewers decided, latest first."""
    found = workspace.store.reviews.history(limit=limit)
    scopes: set[Scope] = {one.scope for one in found}
    standing = {one.seq for scope in scopes for one in workspace.store.reviews.standing(scope)}
    if as_json:
        print_json([{**decision_as_json(one), "counts": one.seq in standing} for one in found])
        return
    console = Console()
    if not found:
        console.print("Nothing was decided yet. `tieout review list` shows what waits.")
        return
    table = Table("when", "by", "", "pair", "ours", "theirs", "run", "", box=None, pad_edge=False)
    for one in found:
        counts = "counts" if one.seq in standing else "" if one.ruling == "undone" else "superseded"
        table.add_row(
            f"{one.decided_at:%Y-%m-%d %H:%M}",
            Text(plain(one.decided_by, 20)),
            one.ruling,
            _named(one),
            Text(plain(one.seen.ours_told, 40)),
            Text(plain(one.seen.theirs_told, 40)),
            one.seen.run_id[:SHORT_ID],
            counts,
        )
    console.print(table)


def decision_as_json(one: ReviewDecision) -> dict[str, Any]:
    """Return a decision as JSON has it."""
    return {
        "leg": one.scope.leg,
        "ruling": one.ruling,
        "pair": _named(one),
        "run_id": one.seen.run_id,
        "ours": one.seen.ours_told,
        "theirs": one.seen.theirs_told,
        "decided_at": one.decided_at,
        "decided_by": one.decided_by,
    }
