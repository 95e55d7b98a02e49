"""`tieout review ads`: what waits, what was decided, deciding."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieout.books.ads.decisions import Ruling, Tools, list_decisions, proposed, standing
from tieout.books.ads.reviewing import Waiting, decide_pairs, decision_as_json, list_waiting, waiting_as_json
from tieout.books.workspace import Workspace
from tieout.cli.app import print_json
from tieout.core.actor import Actor
from tieout.core.errors import EXIT_DIFFERENCES, EXIT_OK
from tieout.core.money import format_micros
from tieout.report.words import plain


def show_waiting(workspace: Workspace, *, limit: int, as_json: bool) -> None:
    """Show the pairs that wait for a person."""
    found = list_waiting(workspace.store)
    if as_json:
        print_json({"total": len(found), "pairs": [waiting_as_json(one) for one in found[:limit]]})
        return
    console = Console()
    if not found:
        console.print("No pair waits. `tieout match ads --persist-review` keeps those that should.")
        return
    title = f"{min(limit, len(found)):,} of {len(found):,} pairs to review"
    table = Table("pair", "day", title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("paid", justify="right")
    table.add_column("sure", justify="right")
    for name in ("theirs", "ours", ""):
        table.add_column(name)
    for one in found[:limit]:
        pair = one.pair
        more = f" and {one.lines - 1:,} more lines" if one.lines > 1 else ""
        table.add_row(
            pair.pair_id,
            f"{one.event_date}",
            f"{format_micros(one.paid_micros)} {one.currency}",
            f"{one.confidence:.0%}",
            Text(plain(f"{pair.network} {pair.load_id} row {pair.row_no}{more}", 60)),
            Text(plain(pair.unit_id, 60)),
            _said(one),
        )
    console.print(table)
    console.print("tieout review ads accept PAIR says that both belong together, reject the opposite.")


def _said(one: Waiting) -> str:
    if one.proposal is not None:
        return f"{one.proposal.ruling} by {plain(one.proposal.decided_by, 20)}, waits for a second person"
    return f"{one.decision.ruling}: match again" if one.decision is not None else ""


def decide_them(workspace: Workspace, ruling: Ruling, pairs: Sequence[str], *, as_json: bool) -> int:
    """Store decisions and say which; return the exit code."""
    settings = workspace.settings
    tools = Tools(Actor(f"account:{settings.actor}"), settings.ads_four_eyes, workspace.now, os.urandom)
    done = decide_pairs(workspace.store, pairs, ruling, tools)
    if as_json:
        print_json({"stored": [decision_as_json(one) for one in done]})
    elif not done:
        Console().print(Text(f"Nothing to do: {', '.join(pairs)} {'is' if len(pairs) == 1 else 'are'} {ruling}."))
    else:
        final = sum(one.is_final for one in done)
        console = Console()
        if final:
            console.print(f"Stored: {final:,} {ruling}. The next `tieout match ads` of the window follows it.")
        if len(done) > final:
            console.print(f"Proposed: {len(done) - final:,} {ruling}. A second person has to say the same.")
    return EXIT_OK if done else EXIT_DIFFERENCES


def show_decisions(workspace: Workspace, *, limit: int, as_json: bool) -> None:
    """Show what was decided, the latest first."""
    known = list_decisions(workspace.store)
    counting = {one.seq for one in standing(known).values()}
    waiting = {one.seq for one in proposed(known).values()}
    if as_json:
        print_json(
            [
                {**decision_as_json(one), "counts": one.seq in counting, "waits": one.seq in waiting}
                for one in known[:limit]
            ]
        )
        return
    if not known:
        Console().print("Nothing was decided yet. `tieout review ads list` shows what waits.")
        return
    table = Table("when", "by", "", "pair", "theirs", "ours", "", box=None, pad_edge=False)
    for one in known[:limit]:
        pair = one.pair
        table.add_row(
            f"{one.decided_at:%Y-%m-%d %H:%M}",
            Text(plain(one.decided_by, 20)),
            one.ruling,
            pair.pair_id,
            Text(plain(f"{pair.network} {pair.load_id} row {pair.row_no}", 40)),
            Text(plain(pair.unit_id, 40)),
            "counts" if one.seq in counting else "waits for a second person" if one.seq in waiting else "",
        )
    Console().print(table)
