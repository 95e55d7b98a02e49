"""The summary of a run in a terminal: readable at eighty columns, and nothing that a stranger wrote can style it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from tieout.report import words
from tieout.report.verdict import rank_currencies, sort_decisions, tell_decisions, tell_verdict

SHORT_ID = 12
MAX_CURRENCIES = 8
MAX_KINDS = 16
MAX_COLUMNS = 8
MAX_CHECKS = 4
MAX_REASONS = 6
MAX_RULES = 3
MAX_LACKS = 3
MAX_DECISIONS = 12
MAX_NOTES = 4
WIDE = 110

_LESS, _MORE, _GOOD, _WARN, _QUIET = "dark_orange3", "dodger_blue2", "green", "yellow", "dim"
_LABEL_WIDTH = 22


def render(
    summary: Mapping[str, Any], console: Console, *, out_dir: Path | None = None, example_delta: str = "DELTA"
) -> None:
    """Print what agreed, what differs, why and how much; how it was decided; and what to do next.

    `out_dir` is where files of the result were written, `example_delta` a difference to name in the hint.
    """
    ties = summary["result"] == "ties_out"
    console.print()
    console.print(_verdict(summary, ties=ties))
    for title, body in _sections(summary, console.width):
        console.print()
        console.print(Rule(Text(title, style="bold"), align="left", style=_QUIET))
        console.print(Padding(body, (0, 0, 0, 1)))
    console.print()
    console.print(Rule(Text("Next", style="bold"), align="left", style=_QUIET))
    console.print(Padding(_next_steps(summary, out_dir, example_delta), (0, 0, 0, 1)))
    console.print()


def _sections(summary: Mapping[str, Any], width: int) -> Iterator[tuple[str, RenderableType]]:
    if summary["currencies"]:
        yield "Money, expected (ours) less reported (theirs)", _money(summary, width)
    if summary["deltas"]:
        yield "Differences", _kinds(summary)
    yield "Matching", _matching(summary)
    if summary.get("applications"):
        yield "Payments applied to invoices", _applications(summary)
    if any(summary.get("why_not", {}).values()):
        yield "What would match more", _why_not(summary["why_not"])
    if summary["differences"]:
        yield "Columns that differ on matched rows", _columns(summary)
    if summary["checks"]["failed"]:
        yield f"Failed checks: {summary['checks']['failed']} of {summary['checks']['total']}", _checks(summary)
    if summary["quarantine"]["reasons"]:
        yield "Quarantined rows, kept with line and reason", _quarantine(summary)
    if summary["plan"].get("decisions"):
        yield "What was decided, the least sure first", _decisions(summary, width)
    notes = [(side, note) for side in ("ours", "theirs") for note in summary[side].get("notes", ())]
    if notes:
        yield "Notes on the files", _notes(notes)


def _verdict(summary: Mapping[str, Any], *, ties: bool) -> Group:
    said = tell_verdict(summary)
    mark = Text(
        " TIES OUT " if ties else " DIFFERENCES ", style=f"bold white on {'dark_green' if ties else 'dark_red'}"
    )
    first = Text.assemble(mark, "  ", (said[0], "bold"))
    ours, theirs = (words.plain(summary[side]["name"], 60) for side in ("ours", "theirs"))
    about = Text.assemble((ours, "bold"), (" against ", _QUIET), (theirs, "bold"))
    about.append(f"  run {words.plain(summary['run_id'])[:SHORT_ID]}", style=_QUIET)
    return Group(first, *([Text(" ".join(said[1:]))] if said[1:] else []), about)


def _money(summary: Mapping[str, Any], width: int) -> Group:
    differing = rank_currencies(summary)
    names = {item["currency"] for item in differing}
    agreeing = [item for item in summary["currencies"] if item["currency"] not in names]
    parts: list[RenderableType] = [
        _money_table(chunk) for chunk in _chunks(differing[:MAX_CURRENCIES], width - _LABEL_WIDTH - 2)
    ]
    if len(differing) > MAX_CURRENCIES:
        more = words.counted(len(differing) - MAX_CURRENCIES, "more currency differs", "more currencies differ")
        parts.append(Text(f"{more}; the report has all.", style=_QUIET))
    if agreeing:
        shown = [_told_amount(item["currency"], item["expected"]) for item in agreeing[:MAX_CURRENCIES]]
        rest = f" and {len(agreeing) - MAX_CURRENCIES} more" if len(agreeing) > MAX_CURRENCIES else ""
        parts.append(Text.assemble(("Agrees: ", _GOOD), ", ".join(shown) + rest))
    return Group(*parts)


def _told_amount(currency: str, amount: str) -> str:
    told = words.money(amount)
    return f"{words.currency_name(currency)} {told}" if currency else told


def _money_table(items: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("", min_width=_LABEL_WIDTH - 2, no_wrap=True)
    for item in items:
        # A terminal that is too narrow folds an amount; it is never cut.
        table.add_column(Text(words.currency_name(item["currency"])), justify="right", overflow="fold")
    table.add_row("Expected", *(words.money(item["expected"]) for item in items))
    table.add_row("Reported", *(words.money(item["reported"]) for item in items))
    table.add_row(Text("Difference", style="bold"), *(_gap(item["difference"], bold=True) for item in items))
    for name in (*words.PART_NAMES, "tolerated"):
        amounts = [Decimal(item["tolerated"] if name == "tolerated" else item["parts"][name]) for item in items]
        if any(amounts):
            table.add_row(Text(f"  {words.PART_WORDS[name].lower()}"), *(_gap(amount) for amount in amounts))
    return table


def _chunks(items: Sequence[Mapping[str, Any]], room: int) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Split currencies into tables that fit: an amount is never cut or broken."""
    chunk: list[Mapping[str, Any]] = []
    used = 0
    for item in items:
        figures = (item["expected"], item["reported"], item["difference"], item["tolerated"], *item["parts"].values())
        needed = max(len(words.money(figure, sign=True)) for figure in figures) + 2
        if chunk and used + needed > room:
            yield chunk
            chunk, used = [], 0
        chunk.append(item)
        used += needed
    if chunk:
        yield chunk


def _gap(amount: Decimal | str, *, bold: bool = False) -> Text:
    value = Decimal(amount)
    style = _LESS if value > 0 else _MORE if value < 0 else _QUIET
    return Text(words.money(value, sign=True), style=f"bold {style}" if bold else style)


def _kinds(summary: Mapping[str, Any]) -> Table:
    table = _table(("Kind", "left"), ("Number", "right"), ("Amount", "right"), ("", "left"))
    for item in summary["deltas"][:MAX_KINDS]:
        amount = Text("no amount", style=_QUIET) if item["amount"] is None else _gap(item["amount"])
        table.add_row(
            Text(words.humanise(item["kind"], words.KIND_WORDS)),
            words.count(item["count"]),
            amount,
            Text(words.plain(item["currency"], 20), style=_QUIET),
        )
    return table


def _matching(summary: Mapping[str, Any]) -> Group:
    how = _table(
        ("Matched by", "left"), ("", "left"), ("Matches", "right"), ("Our rows", "right"), ("Their rows", "right")
    )
    for item in summary["matched"]["by_pass"]:
        how.add_row(
            Text(words.humanise(item["pass"], words.PASS_WORDS)),
            Text(
                words.humanise(item["outcome"], words.OUTCOME_WORDS),
                style=_WARN if item["outcome"] == "review" else _GOOD,
            ),
            *(words.count(item[name]) for name in ("matches", "ours_rows", "theirs_rows")),
        )
    where = _table(
        ("Rows", "left"),
        ("Read", "right"),
        ("Matched", "right"),
        ("Unmatched", "right"),
        ("Duplicates", "right"),
        ("Quarantined", "right"),
    )
    for side in ("ours", "theirs"):
        facts = summary[side]
        figures = (facts["rows"], summary["matched"][f"{side}_rows"], facts["unmatched"], facts["duplicates"])
        where.add_row(
            words.SIDE_WORDS[side],
            *(words.count(figure) for figure in figures),
            Text(words.count(facts["quarantined"]), style=_WARN if facts["quarantined"] else ""),
        )
    parts: list[RenderableType] = [how, Text()] if summary["matched"]["by_pass"] else []
    parts.append(where)
    if decided := tell_decisions(summary):
        parts.append(Text(decided))
    if summary.get("searched"):
        parts.append(Text(f"Searched: {words.plain(summary['searched'], 300)}", style=_QUIET))
    return Group(*parts)


def _applications(summary: Mapping[str, Any]) -> Table:
    table = _table(("Applied", "left"), ("", "left"), ("Number", "right"), ("Amount", "right"), ("", "left"))
    for item in summary["applications"]:
        table.add_row(
            Text(words.humanise(item["kind"], words.APPLICATION_WORDS)),
            Text(
                words.humanise(item["outcome"], words.OUTCOME_WORDS),
                style=_WARN if item["outcome"] == "review" else _GOOD,
            ),
            words.count(item["count"]),
            Text(words.money(item["applied"])),
            Text(words.plain(item["currency"], 20), style=_QUIET),
        )
    return table


def _why_not(told: Mapping[str, Any]) -> Table:
    """Return the rules worth most money with the option that tries each, and what the unmatched rows lack."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True)
    table.add_column("", overflow="fold")
    for change in told["rules"][:MAX_RULES]:
        table.add_row(Text(str(change["what_if"]), style="bold"), Text(words.tell_rule_change(change)[1]))
    counts: dict[str, int] = {}
    for item in told["rows"]:
        counts[item["kind"]] = counts.get(item["kind"], 0) + item["rows"]
    often = sorted(counts.items(), key=lambda item: -item[1])
    lacks = [f"{words.humanise(kind, words.CHANGE_WORDS).lower()} {words.count(n)}" for kind, n in often[:MAX_LACKS]]
    if lacks:
        table.add_row("a row lacks", Text(", ".join(lacks) + (", …" if len(often) > MAX_LACKS else "")))
    if told["rules"]:
        table.add_row("", Text("--what-if best tries the first three", style=_QUIET))
    return table


def _columns(summary: Mapping[str, Any]) -> Text:
    items = summary["differences"]
    shown = [f"{words.plain(item['column'], 40)} {words.count(item['count'])}" for item in items[:MAX_COLUMNS]]
    rest = f" and {len(items) - MAX_COLUMNS} more" if len(items) > MAX_COLUMNS else ""
    return Text(", ".join(shown) + rest)


def _checks(summary: Mapping[str, Any]) -> Group:
    failed = [item for item in summary["checks"]["items"] if not item["ok"]]
    lines: list[RenderableType] = []
    for item in failed[:MAX_CHECKS]:
        line = Text("x ", style=_LESS)
        line.append(words.plain(item["message"] or item["name"], 240), style="default")
        gap = words.money(item["difference"], sign=True)
        line.append(
            f"  {words.SIDE_WORDS[item['side']]}, {words.plain(item['file'], 50)}: {gap} "
            f"{words.plain(item['currency'], 20)}".rstrip(),
            style=_QUIET,
        )
        lines.append(line)
    if summary["checks"]["failed"] > MAX_CHECKS:
        lines.append(Text(f"and {words.count(summary['checks']['failed'] - MAX_CHECKS)} more", style=_QUIET))
    return Group(*lines)


def _quarantine(summary: Mapping[str, Any]) -> Group:
    reasons = summary["quarantine"]["reasons"]
    table = _table(("Side", "left"), ("Reason", "left"), ("Rows", "right"))
    for item in reasons[:MAX_REASONS]:
        table.add_row(
            words.SIDE_WORDS[item["side"]], Text(words.humanise(item["reason_code"], {})), words.count(item["count"])
        )
    rest = len(reasons) - MAX_REASONS
    return Group(table, *([Text(words.counted(rest, "more reason"), style=_QUIET)] if rest > 0 else []))


def _decisions(summary: Mapping[str, Any], width: int) -> Group:
    decisions = sort_decisions(summary)
    table = _table(("Sure", "right"), ("Decided", "left"), ("To change it", "left"))
    table.columns[1].ratio = 1
    table.columns[1].no_wrap = False
    table.columns[2].no_wrap = False
    table.columns[2].max_width = max(20, width // 4)
    table.expand = True
    for item in decisions[:MAX_DECISIONS]:
        sure = item["confidence"]
        decided = Text.assemble((f"{words.plain(item['subject'], 40)}: ", "bold"), words.plain(item["choice"], 120))
        if item["evidence"] and (width >= WIDE or sure < 0.9):
            decided.append(f"  {words.plain(item['evidence'], 160)}", style=_QUIET)
        table.add_row(
            Text(words.confidence(sure), style=_GOOD if sure >= 0.9 else _WARN if sure >= 0.7 else _LESS),
            decided,
            Text(words.plain(item["option"], 60)),
        )
    rest = len(decisions) - MAX_DECISIONS
    more = [Text(f"{words.counted(rest, 'surer decision')} in the plan", style=_QUIET)] if rest > 0 else []
    return Group(table, *more)


def _notes(notes: Sequence[tuple[str, str]]) -> Group:
    lines = [Text(f"{words.SIDE_WORDS[side]}: {words.plain(note, 240)}") for side, note in notes[:MAX_NOTES]]
    rest = len(notes) - MAX_NOTES
    return Group(*lines, *([Text(words.counted(rest, "more note"), style=_QUIET)] if rest > 0 else []))


def _next_steps(summary: Mapping[str, Any], out_dir: Path | None, example_delta: str) -> Table:
    run = words.plain(summary["run_id"])[:SHORT_ID]
    steps = [(f"tieout show {run}", "this run again, with its largest differences")]
    if summary["deltas"]:
        steps.insert(
            0, (f"tieout explain {words.plain(example_delta, 60)}", "why a difference exists, with file and line")
        )
    if out_dir is None:
        steps.append(("--out DIR", "the report with pictures, CSV, XLSX, Parquet and JSON"))
    else:
        steps.insert(0, (words.plain(out_dir / "report.html"), "the report, beside it the full result"))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", overflow="fold", style="bold")
    table.add_column("", style=_QUIET)
    for command, meaning in steps:
        table.add_row(Text(command), meaning)
    return table


def _table(*columns: tuple[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0), header_style=_QUIET)
    for name, justify in columns:
        table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=justify == "right")
    return table
