"""The same payments written by two systems, each in its own way, with planted gaps, and the pairs that are true.

What differs: form of the file, encoding, delimiter, quotes, lines above and below the table, names and order of
columns, how money, days and references are written, and whether there is one amount, a debit and a credit, or an amount
without a sign beside a column that says which it is.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

PARTIES = (
    "Müller GmbH", "Café Ünal", "O'Brien & Sons", "Smith, Jones Ltd", 'ACME "West" Inc', "Läderach AG", "Paul; Peter",
    "ÉCOLE Supérieure", "Hans|Peter", "Blue Moon", "Kite Optics\nSecond Line",
)  # fmt: skip
NAMES = {
    "ref": ("id", "Reference", "Invoice No", "Ref", "Transaction ID", "Belegnummer", "order_id", "Référence"),
    "day": ("date", "Booking Date", "Value date", "Buchungstag", "posted_at", "Datum", "Fecha"),
    "amount": ("amount", "Amount", "Net amount", "Betrag", "Total", "Montant", "Importe"),
    "currency": ("currency", "CCY", "Währung", "Devise"),
    "memo": ("memo", "Description", "Text", "Verwendungszweck", "Payee", "Libellé"),
}
DEBIT_AND_CREDIT = (("Debit", "Credit"), ("Soll", "Haben"), ("Withdrawals", "Deposits"), ("Paid out", "Paid in"))
DIRECTIONS = {"Soll/Haben": ("S", "H"), "Type": ("Debit", "Credit"), "D/C": ("DR", "CR"), "Way": ("out", "in")}
DAYS = (
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%b-%Y",
    "%Y%m%d",
    "%b %d, %Y",
    "%Y-%m-%dT%H:%M:%SZ",
    "%d.%m.%y",
)
SIGNS = {"EUR": "€", "USD": "$", "GBP": "£"}
REFERENCES = ("INV-{:06d}", "{:08d}", "R{}", "2026/{:05d}", "A-{}-26")


@dataclass(frozen=True)
class Payment:
    """One payment as both systems know it."""

    ref: str
    day: date
    amount: Decimal
    currency: str
    memo: str


@dataclass(frozen=True)
class Written:
    """Both files, the true pairs of their rows (from 1), the gaps between amounts, and a few words about them."""

    ours: Path
    theirs: Path
    pairs: frozenset[tuple[int, int]]
    gaps: tuple[Decimal, ...]
    told: str


def _grouped(amount: Decimal, thousands: str, mark: str) -> str:
    return f"{abs(amount):,.2f}".translate({ord(","): thousands, ord("."): mark})


def _signed(amount: Decimal, told: str) -> str:
    return f"-{told}" if amount < 0 else told


Money = Callable[[Decimal, str], str]
MONEY: dict[str, Money] = {
    "plain": lambda a, _: f"{a:.2f}",
    "english": lambda a, _: _signed(a, _grouped(a, ",", ".")),
    "german": lambda a, _: _signed(a, _grouped(a, ".", ",")),
    "french": lambda a, _: _signed(a, _grouped(a, "\u00a0", ",")),
    "swiss": lambda a, _: _signed(a, _grouped(a, "'", ".")),
    "brackets": lambda a, _: f"({_grouped(a, ',', '.')})" if a < 0 else _grouped(a, ",", "."),
    "behind": lambda a, _: f"{abs(a):.2f}{'-' * (a < 0)}",
    "sign": lambda a, c: _signed(a, f"{SIGNS[c]}{_grouped(a, ',', '.')}"),
    "sign behind": lambda a, c: _signed(a, f"{_grouped(a, '.', ',')} {SIGNS[c]}"),
    "code": lambda a, c: f"{c} {_signed(a, _grouped(a, ',', '.'))}",
    "credit or debit": lambda a, _: f"{abs(a):.2f} {'DR' if a < 0 else 'CR'}",
}
REWRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper": str.upper,
    "lower": str.lower,
    "blanks": lambda ref: f" {ref}  ",
    "no zeros": lambda ref: ref.lstrip("0"),
    "number sign": lambda ref: f"#{ref}",
}


def write(draw: random.Random, folder: Path, rows: int, order: int) -> Written:
    """Write about so many payments below `folder` in two ways; `order` says in which order the rows stand."""
    payments = _payments(draw, rows)
    gaps = {place: Decimal(draw.randrange(1, 500)) / 100 for place in range(rows) if draw.random() < 0.05}
    kept = {side: [place for place in range(rows) if draw.random() > 0.04] for side in ("ours", "theirs")}
    rewritten = draw.choice([*REWRITTEN, *["as it is"] * 6])
    paths, told = [], [f"{rows} payments, references of theirs {rewritten}"]
    for side, places in kept.items():
        random.Random(f"{order} {side}").shuffle(places)
        given = [payments[place] for place in places]
        if side == "theirs":
            given = [
                Payment(REWRITTEN[rewritten](one.ref), one.day, one.amount + gaps.get(place, 0), one.currency, one.memo)
                for place, one in zip(places, given, strict=True)
            ]
        path, how = _write_side(draw, folder, side, given)
        paths.append(path)
        told.append(f"{side} {how}")
    at = {side: {place: row for row, place in enumerate(places, 1)} for side, places in kept.items()}
    both = at["ours"].keys() & at["theirs"].keys()
    pairs = frozenset((at["ours"][place], at["theirs"][place]) for place in both)
    return Written(*paths, pairs, tuple(sorted(gaps[place] for place in both & gaps.keys())), "; ".join(told))


def _payments(draw: random.Random, rows: int) -> list[Payment]:
    form, first, start = draw.choice(REFERENCES), draw.randrange(1000, 90_000), date(2026, 1, 1)
    currencies, debits = draw.choice([["EUR"], ["EUR"], ["USD"], ["EUR", "USD", "GBP"]]), draw.choice([0, 0, 0.3])
    span = draw.choice([14, 40, 300])  # a fortnight at least, so that days and months can be told apart
    return [
        Payment(
            form.format(first + place),
            start + timedelta(place % span),
            Decimal(draw.choice([-1, 1] if draw.random() < debits else [1]) * draw.randrange(1, 10**6)) / 100,
            draw.choice(currencies),
            f"{draw.choice(PARTIES)} {draw.randrange(1000)}",
        )
        for place in range(rows)
    ]


def _write_side(draw: random.Random, folder: Path, side: str, given: list[Payment]) -> tuple[Path, str]:
    form, money, day = draw.choice(["csv"] * 5 + ["xlsx", "json", "ndjson"]), draw.choice([*MONEY]), draw.choice(DAYS)
    columns = ["ref", "day", "amount"]
    if draw.random() < 0.75:
        columns.append("memo")
    if len({one.currency for one in given}) > 1 or draw.random() < 0.5:
        columns.append("currency")
    draw.shuffle(columns)
    names = {name: draw.choice(NAMES[name]) for name in columns}
    style, debit_and_credit = draw.choice(["signed"] * 5 + ["split", "directed"]), draw.choice(DEBIT_AND_CREDIT)
    direction = draw.choice([*DIRECTIONS])
    header_of = {"signed": [names["amount"]], "split": [*debit_and_credit], "directed": [names["amount"], direction]}

    def cells(one: Payment) -> list[str]:
        said = {"ref": one.ref, "day": one.day.strftime(day), "currency": one.currency, "memo": one.memo}
        found: list[str] = []
        for name in columns:
            if name != "amount":
                found.append(said[name])
            elif style == "signed":
                found.append(MONEY[money](one.amount, one.currency))
            else:
                told = MONEY[money](abs(one.amount), one.currency)
                told = told.removesuffix(" CR")  # what says credit already says so of a debit as well
                is_debit = one.amount < 0
                split = [told, ""] if is_debit else ["", told]
                found += split if style == "split" else [told, DIRECTIONS[direction][0 if is_debit else 1]]
        return found

    header = [part for name in columns for part in (header_of[style] if name == "amount" else [names[name]])]
    table = [cells(one) for one in given]
    path = folder / f"{side}.{form}"
    how = f"{form}, {money}, {day}, columns {header}"
    if form == "csv":
        how += _write_csv(draw, path, header, table)
    elif form == "xlsx":
        _write_xlsx(path, header, table)
    else:
        records = [dict(zip(header, row, strict=True)) for row in table]
        lines = [json.dumps(record, ensure_ascii=draw.random() < 0.5) for record in records]
        path.write_text("\n".join(lines) if form == "ndjson" else f"[{', '.join(lines)}]", encoding="utf-8")
    return path, how


def _write_csv(draw: random.Random, path: Path, header: list[str], table: list[list[str]]) -> str:
    delimiter, encoding = draw.choice(",;\t|"), draw.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252"])
    end, quoting = draw.choice(["\n", "\r\n"]), draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    above, has_total = draw.choice([0, 0, 1, 3]), draw.random() < 0.2
    text = io.StringIO(newline="")
    text.write("".join(f"{line}{end}" for line in ("Statement of account", "Account 0012", "Period 2026", "")[:above]))
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerows([header, *table])
    if has_total:
        writer.writerow(["Total", *[""] * (len(header) - 2), "1.00"])
    path.write_bytes(text.getvalue().encode(encoding))
    return f", {delimiter!r}, {encoding}, {end!r}, quoting {quoting}, {above} lines above, total below: {has_total}"


def _write_xlsx(path: Path, header: list[str], table: list[list[str]]) -> None:
    import xlsxwriter  # noqa: PLC0415 (contenders read this package where there is none)

    with xlsxwriter.Workbook(str(path)) as book:
        sheet: Any = book.add_worksheet()
        for place, row in enumerate([header, *table]):
            for column, cell in enumerate(row):
                sheet.write_string(place, column, cell)
