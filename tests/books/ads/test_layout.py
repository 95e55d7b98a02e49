"""Layouts: what the contract says of each network, and how headers fit, drift and leave doubt."""

from __future__ import annotations

import csv
from importlib.resources import files

import pytest

from tieout.books.ads.layout import CELLS, REQUIRED, best_fit, fit, layouts_of, list_layouts
from tieout.engine.parse import CURRENCY_CODES

NETWORKS = [
    *["admob", "unity", "applovin", "ironsource", "adcolony", "chartboost", "vungle", "mintegral"],
    *["pangle", "meta", "tapjoy", "moloco", "inmobi", "fyber", "smaato"],
]

# Contract 1.4, as its table has it.
EVENT_DATE = {"admob": "date day", "unity": "date day", "fyber": "date day"}
PAID = {
    "admob": ["estimated earnings", "earnings", "revenue", "total revenue"],
    "unity": ["revenue", "estimated revenue", "earnings"],
    "vungle": ["revenue", "earnings", "revenue (usd)"],
    "fyber": ["revenue", "earnings", "payout"],
    "smaato": ["revenue", "earnings", "publisher revenue"],
}
UNIT = {
    "admob": ["ad unit id", "ad unit", "ad_unit", "unit id"],
    "ironsource": ["ad unit id", "ad unit", "placement id", "instance id"],
    "pangle": ["ad placement id", "placement id", "ad unit id"],
    "fyber": ["placement id", "ad space id", "ad unit id"],
    "smaato": ["ad space id", "placement id", "ad unit id"],
}
REPORTING_CURRENCY = {"admob", "unity", "applovin", "ironsource", "pangle", "inmobi"}


def _statement(network: str):
    [layout] = [one for one in layouts_of(network) if one.name == network]
    return layout


@pytest.mark.parametrize("network", NETWORKS)
def test_each_network_has_the_names_of_the_contract(network):
    layout = _statement(network)
    assert list(layout.headers["event_date"]) == EVENT_DATE.get(network, "date").split()
    if network in PAID:
        assert list(layout.headers["paid"]) == PAID[network]
    if network in UNIT:
        assert list(layout.headers["ad_unit_id"]) == UNIT[network]
    assert ("reporting currency" in layout.headers["currency"]) == (network in REPORTING_CURRENCY)
    assert ("country/region" in layout.headers["country"]) == (network in {"admob", "unity", "pangle"})
    assert ("ivt_adjustments" in layout.headers) == (network == "admob")


@pytest.mark.parametrize("network", [*NETWORKS, "AdMob", "a network of tomorrow"])
def test_canonical_names_pass_in_every_layout_whatever_their_case(network):
    found = best_fit(network, [cell.upper() + " " for cell in CELLS], {})
    assert not found.is_drifted
    assert list(found.columns) == list(CELLS)


@pytest.mark.parametrize("network", NETWORKS)
def test_each_name_of_a_layout_gives_its_cell(network):
    layout = _statement(network)
    for cell, names in layout.headers.items():
        for name in names:
            others = [layout.names_of(other)[0] for other in REQUIRED if other != cell]
            assert fit(layout, [name.title(), *others], {}).columns[cell] == name.title()


def test_drift_names_what_is_missing_and_what_is_unknown():
    found = best_fit("admob", ["Date", "App", "Ad Unit", "Country", "Ad Format", "Currency", "Impressions", "Foo"], {})
    assert found.layout.name == "admob"
    assert found.missing == ("paid",)
    assert found.unknown == ("Foo",)


def test_a_cell_given_for_all_rows_is_not_missing():
    heads = ["Ad Unit ID", "Impressions", "Revenue", "User Id"]
    given = {"app_id": "x", "event_date": "2026-01-01", "country": "US", "format": "banner"}
    assert best_fit("applovin", heads, {}).missing
    assert not best_fit("applovin", heads, given).is_drifted


def test_of_two_names_the_first_is_the_app_and_two_amounts_are_a_doubt():
    heads = ["Date", "App", "App ID", "Ad Unit", "Country", "Ad Format", "Currency", "Impressions", "Earnings"]
    assert best_fit("admob", heads, {}).columns["app_id"] == "App ID"
    assert best_fit("admob", [*heads, "Revenue"], {}).doubtful == {"paid": ("Earnings", "Revenue")}


def test_every_layout_speaks_of_cells_that_there_are():
    for layout in list_layouts():
        assert set(layout.headers) | set(layout.constants) | set(layout.document) <= set(CELLS), layout.name
        names = [name for cell in CELLS for name in layout.names_of(cell)]
        assert all(name == " ".join(name.lower().split()) for name in names), layout.name
        assert len(names) == len(set(names)), layout.name


def test_the_countries_are_those_of_the_standard():
    text = (files("tieout.books.ads") / "words" / "countries.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    official = [row for row in rows if row["alpha_2"] != "XK"]  # in wide use, assigned by its users
    assert len(official) == 249
    for column, width in (("alpha_2", 2), ("alpha_3", 3)):
        codes = [row[column] for row in rows]
        assert len(set(codes)) == len(codes)
        assert all(len(code) == width and code.isascii() and code.isupper() for code in codes)
    assert {"USD", "EUR"} <= CURRENCY_CODES
