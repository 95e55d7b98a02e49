"""Invoices, payments and advice as files: columns are found, bad lines kept, and what cannot be told is asked."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.engine.settlement.payment_world import World, make_world
from tests.store.builders import NOW, a_store, settings_for
from tieout.books.compare.actions import Compared, compare
from tieout.books.compare.again import replay
from tieout.books.compare.infer import InferOptions
from tieout.books.compare.request import CompareRequest
from tieout.books.compare.settled import UnknownColumn
from tieout.books.compare.settling import AdviceUnread
from tieout.books.workspace import Workspace
from tieout.engine.plan_file import plan_from_toml, plan_to_toml
from tieout.report.exports import fact_table

PLAIN = (("doc_no", "client", "total", "issued"), ("receipt", "payer", "value", "received", "note"))
PLAIN_ADVICE = ("pay", "doc", "amt", "remark")
GERMAN = (
    ("Rechnungsnummer", "Kunde", "Betrag", "Rechnungsdatum"),
    ("Zahlungs-ID", "Auftraggeber", "Summe", "Buchungstag", "Verwendungszweck"),
)
GERMAN_ADVICE = ("Zahlung", "Beleg", "Teilbetrag", "Hinweis")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    data_dir = tmp_path / "data"
    opened = Workspace(replace(settings_for(data_dir), threads=1), a_store(data_dir), lambda: NOW)
    yield opened
    opened.close()


def write(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]], delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def files_of(world: World, folder: Path, *, is_german: bool = False) -> tuple[Path, Path, Path]:
    (invoice, payment), advice = (GERMAN, GERMAN_ADVICE) if is_german else (PLAIN, PLAIN_ADVICE)

    def money(cents: int) -> str:
        text = f"{cents / 100:,.2f}"
        return text.translate(str.maketrans(",.", ".,")) if is_german else text.replace(",", "")

    form, mark = ("%d.%m.%Y", ";") if is_german else ("%Y-%m-%d", ",")
    ours = [(one.number, one.customer, money(one.cents), one.issued.strftime(form)) for one in world.invoices]
    theirs = [
        (one.number, one.payer, money(one.cents), one.received.strftime(form), one.note) for one in world.payments
    ]
    lines = [(one.payment, one.invoice, money(one.cents), one.memo) for one in world.advice]
    return (
        write(folder / "ours.csv", invoice, ours, mark),
        write(folder / "theirs.csv", payment, theirs, mark),
        write(folder / "advice.csv", advice, lines, mark),
    )


def pairs_of(done: Compared, world: World, outcome: str = "auto") -> set[tuple[str, str]]:
    found = pq.read_table(done.run_dir / "application.parquet").to_pylist()
    return {
        (world.payments[row["theirs_row"] - 1].number, world.invoices[row["ours_row"] - 1].number)
        for row in found
        if row["outcome"] == outcome
    }


def f1(found: set[tuple[str, str]], truth: set[tuple[str, str]]) -> float:
    return 2 * len(found & truth) / (len(found) + len(truth))


@pytest.mark.parametrize(("size", "seed", "names"), [(15, 1, "english"), (90, 2, "english"), (90, 3, "german")])
def test_payments_are_applied_whatever_the_columns_are_called(
    workspace: Workspace, tmp_path: Path, size: int, seed: int, names: str
) -> None:
    world = make_world(size, seed)
    ours, theirs, advice = files_of(world, tmp_path, is_german=names == "german")
    done = compare(workspace, CompareRequest(ours, theirs, advice=advice))
    assert f1(pairs_of(done, world), set(world.truth)) >= 0.95
    assert done.summary["advice"]["rows"] == len(world.advice)
    assert {item["subject"] for item in done.summary["plan"]["decisions"]} >= {
        "advice payment",
        "advice invoice",
        "advice amount",
        "party",
    }


def test_without_advice_what_is_settled_is_right(workspace: Workspace, tmp_path: Path) -> None:
    world = make_world(90, 2)
    ours, theirs, _ = files_of(world, tmp_path)
    done = compare(workspace, CompareRequest(ours, theirs))
    found = pairs_of(done, world)
    assert len(found & set(world.truth)) >= 0.95 * len(found)
    assert len(found) >= 0.4 * len(world.truth)


@pytest.fixture
def small(tmp_path: Path) -> tuple[Path, Path]:
    world = make_world(30, 4)
    return files_of(world, tmp_path)[:2]


def test_other_advice_is_another_run_and_the_same_is_on_record(workspace: Workspace, tmp_path: Path) -> None:
    ours, theirs, advice = files_of(make_world(30, 4), tmp_path)
    first = compare(workspace, CompareRequest(ours, theirs, advice=advice))
    assert compare(workspace, CompareRequest(ours, theirs, advice=advice)).is_reused
    lines = advice.read_text(encoding="utf-8").splitlines(keepends=True)
    fewer = tmp_path / "fewer.csv"
    fewer.write_text("".join(lines[:-3]), encoding="utf-8")
    other = compare(workspace, CompareRequest(ours, theirs, advice=fewer))
    assert other.run.run_id != first.run.run_id
    assert [given.side for given in first.run.inputs] == ["ours", "theirs", "advice"]
    assert replay(workspace, first.run.run_id).differences == ()


def test_a_plan_keeps_how_advice_is_read(workspace: Workspace, tmp_path: Path) -> None:
    ours, theirs, advice = files_of(make_world(30, 4), tmp_path)
    done = compare(workspace, CompareRequest(ours, theirs, advice=advice))
    plan = plan_from_toml(plan_to_toml(done.plan))
    assert plan == done.plan
    again = compare(workspace, CompareRequest(ours, theirs, plan=plan, advice=advice, is_fresh=True))
    assert again.summary["applications"] == done.summary["applications"]
    with pytest.raises(AdviceUnread) as none:
        compare(workspace, CompareRequest(ours, theirs, plan=plan))
    assert "--advice" in none.value.remedy
    with pytest.raises(AdviceUnread):
        compare(workspace, CompareRequest(ours, theirs, plan=replace(plan, settlement=None), advice=advice))


def test_bad_lines_of_advice_are_kept_with_file_and_line(workspace: Workspace, tmp_path: Path) -> None:
    ours, theirs, advice = files_of(make_world(30, 4), tmp_path)
    count = len(advice.read_text(encoding="utf-8").splitlines())
    with advice.open("a", encoding="utf-8") as file:
        file.write("RC99999,BL-000001,5.00,\nRC00001,BL-000001,five,\n")
    done = compare(workspace, CompareRequest(ours, theirs, advice=advice))
    kept = fact_table(done.run_dir, "quarantine").to_pylist()
    found = {(row["line"], row["file"], row["side"], row["reason_code"]) for row in kept}
    assert found >= {
        (count + 1, "advice.csv", "advice", "payment_unknown"),
        (count + 2, "advice.csv", "advice", "bad_number"),
    }
    assert done.summary["quarantine"]["advice"] >= 2


def test_advice_of_something_else_names_the_option_that_settles_it(
    workspace: Workspace, small: tuple[Path, Path], tmp_path: Path
) -> None:
    strange = write(tmp_path / "strange.csv", ("a", "b", "c"), [("x1", "y1", 5), ("x2", "y2", 6)])
    with pytest.raises(AdviceUnread) as payment:
        compare(workspace, CompareRequest(*small, advice=strange))
    assert "--advice-payment" in payment.value.remedy
    half = write(tmp_path / "half.csv", ("pay", "b", "c"), [("RC00001", "y1", 5), ("RC00002", "y2", 6)])
    with pytest.raises(AdviceUnread) as invoice:
        compare(workspace, CompareRequest(*small, advice=half))
    assert "--advice-invoice" in invoice.value.remedy
    options = InferOptions(advice_amount="nothing")
    with pytest.raises(UnknownColumn) as amount:
        compare(
            workspace,
            CompareRequest(*files_of(make_world(30, 4), tmp_path)[:2], options, advice=tmp_path / "advice.csv"),
        )
    assert amount.value.subject == "nothing"


def test_advice_that_is_a_header_only_is_refused_by_name(workspace: Workspace, tmp_path: Path) -> None:
    ours, theirs, _ = files_of(make_world(20, 5), tmp_path)
    advice = write(tmp_path / "none.csv", PLAIN_ADVICE, [])
    with pytest.raises(AdviceUnread) as raised:
        compare(workspace, CompareRequest(ours, theirs, advice=advice))
    assert raised.value.what == "none.csv has no rows."


def test_options_say_which_columns_of_the_advice_count(workspace: Workspace, tmp_path: Path) -> None:
    world = make_world(30, 4)
    ours, theirs, advice = files_of(world, tmp_path)
    options = InferOptions(advice_payment="pay=receipt", advice_invoice="doc", advice_amount="none")
    done = compare(workspace, CompareRequest(ours, theirs, options, advice=advice))
    settlement = done.plan.settlement
    assert settlement is not None
    assert settlement.advice is not None
    assert (settlement.advice.group, settlement.advice.key, settlement.advice.amount) == (("pay",), ("doc",), ())
    assert settlement.theirs_reference == "receipt"


def test_what_only_seems_to_tie_rows_gives_way_to_advice(workspace: Workspace, tmp_path: Path) -> None:
    """Customers who paid all they owe tie in sum by name, and invoices and payments are both numbered from 1001."""
    owed = [(1001 + at, f"Customer {'ABCDEF'[at % 6]} Ltd", 100 + 7 * at, f"2026-01-{at + 1:02d}") for at in range(18)]
    paid, told = [], []
    for at in range(6):
        own = owed[at::6]
        paid.append((1001 + 2 * at, own[0][1], own[0][2] + own[1][2], f"2026-02-{at + 1:02d}"))
        paid.append((1002 + 2 * at, own[0][1], own[2][2], f"2026-02-{at + 10:02d}"))
        told += [(1001 + 2 * at, own[0][0], own[0][2]), (1001 + 2 * at, own[1][0], own[1][2])]
        told.append((1002 + 2 * at, own[2][0], own[2][2]))
    ours = write(tmp_path / "ours.csv", ("invoice", "client", "total", "issued"), owed)
    theirs = write(tmp_path / "theirs.csv", ("receipt", "client", "value", "received"), paid)
    advice = write(tmp_path / "advice.csv", ("receipt", "invoice", "given"), told)
    done = compare(workspace, CompareRequest(ours, theirs, advice=advice))
    rows = pq.read_table(done.run_dir / "application.parquet").to_pylist()
    found = {(paid[row["theirs_row"] - 1][0], owed[row["ours_row"] - 1][0]) for row in rows}
    assert found == {(receipt, invoice) for receipt, invoice, _ in told}
    assert done.summary["result"] == "ties_out"


def test_options_on_advice_without_advice_are_refused(workspace: Workspace, small: tuple[Path, Path]) -> None:
    with pytest.raises(AdviceUnread) as raised:
        compare(workspace, CompareRequest(*small, InferOptions(advice_invoice="doc")))
    assert raised.value.subject == "--advice-invoice"


DATA = os.environ.get("TIEOUT_DATA", "")
WORLDS = sorted(Path(DATA).glob("cash_application/*.json")) if DATA else []
"""Worlds of others, which no licence lets us keep: where the variable names none there is nothing to test."""

if WORLDS:

    @pytest.mark.parametrize("path", WORLDS, ids=lambda path: path.stem)
    def test_cash_application_of_others_is_right(workspace: Workspace, tmp_path: Path, path: Path) -> None:
        world = json.loads(path.read_text(encoding="utf-8"))
        parts = ("invoices", "payments", "remittance_lines")
        files = [
            write(tmp_path / f"{part}.csv", list(world[part][0]), [list(row.values()) for row in world[part]])
            for part in parts
        ]
        truth = {(one["payment_id"], one["invoice_id"]) for one in world["ground_truth"]["applications"]}
        done = compare(workspace, CompareRequest(files[0], files[1], advice=files[2]))
        found = {
            (
                world["payments"][row["theirs_row"] - 1]["payment_id"],
                world["invoices"][row["ours_row"] - 1]["invoice_id"],
            )
            for row in pq.read_table(done.run_dir / "application.parquet").to_pylist()
        }
        assert f1(found, truth) >= 0.95
