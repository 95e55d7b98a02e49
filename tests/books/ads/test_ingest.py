"""Statements from file to published lines: typed exactly, refused aloud, once for each load."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.store.builders import NOW, a_file, a_store, settings_for
from tieout.books.ads.ingest import (
    BadLoad,
    Ingested,
    IngestRequest,
    LoadDiffers,
    NetworkNotAllowed,
    ingest,
    window_of,
)
from tieout.books.ads.staging import ReportIncomplete, SchemaDrift
from tieout.books.workspace import Workspace
from tieout.core.metrics import ADS_INGEST_LOAD
from tieout.intake.records_file import TooManyRows
from tieout.store.artifacts import FileTooLarge

SAMPLES = Path(__file__).parents[3] / "src" / "tieout" / "sample" / "ads"
HEADER = "event_date,app_id,ad_unit_id,country,format,currency,impressions,clicks,paid,ivt_adjustments\n"
ROW = "2026-01-31,app,unit,US,banner,USD,1000,3,1.25,0.01\n"
ADMOB = "Date,App ID,Ad unit,Country,Ad format,Currency,Impressions,Estimated earnings\n"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    data_dir = tmp_path_factory.mktemp("ads") / "data"
    opened = Workspace(replace(settings_for(data_dir), threads=1), a_store(data_dir), lambda: NOW)
    yield opened
    assert list(opened.store.folders.incoming.iterdir()) == []  # whatever happened, no scratch file stays
    assert list(opened.store.folders.work.iterdir()) == []
    opened.close()


_count = iter(range(1_000_000))


def a_load(tmp_path: Path, *contents: str | bytes, name: str = "statement.csv", **told: Any) -> IngestRequest:
    paths = [a_file(tmp_path / str(next(_count)), content, name) for content in contents]
    load_id = told.pop("load_id", f"load-{next(_count)}")
    return IngestRequest(told.pop("network", "acme"), load_id, told.pop("report_id", "daily"), tuple(paths), **told)


def lines_of(workspace: Workspace, done: Ingested, fact: str = "statement_line") -> list[dict[str, Any]]:
    run = workspace.store.runs.get_run(done.run_id)
    return pq.read_table(workspace.store.runs.file_path(run, fact)).to_pylist()


def test_a_line_has_the_types_and_the_id_of_the_contract(workspace, tmp_path):
    done = ingest(workspace, a_load(tmp_path, HEADER + ROW, network="Acme"))
    [line] = lines_of(workspace, done)
    said = "2026-01-31|app|unit|US|banner|USD|daily|Acme"
    assert line.pop("statement_id") == hashlib.sha256(said.encode()).hexdigest()
    assert len(line.pop("artifact_id")) == 64
    assert line == {
        "event_date": date(2026, 1, 31),
        "app_id": "app",
        "ad_unit_id": "unit",
        "country": "US",
        "format": "banner",
        "currency": "USD",
        "impressions": 1000,
        "clicks": 3,
        "paid_micros": 1_250_000,
        "ivt_micros": 10_000,
        "viewable_ppm": None,
        "request_id": None,
        "report_id": "daily",
        "network": "Acme",
        "schema_ver": 1,
        "load_id": done.window.window.split("/")[1],
        "row_no": 1,
    }
    assert workspace.store.runs.current_run(done.window).run_id == done.run_id


SEMICOLONS = ADMOB.replace(",", ";") + '2026-01-31;"My, ""app""";u;US;banner;USD;10;1.5\n'
A_ROW = '2026-01-31,"My, ""app""",u,US,banner,USD,10,1.5\n'


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(
            ADMOB.replace("\n", "\r\n") + '2026-01-31,"My, ""app""",u,US,banner,USD,10,1.5\r\n', {}, id="crlf"
        ),
        pytest.param("\ufeff" + ADMOB + A_ROW + "\n", {}, id="bom"),
        pytest.param(SEMICOLONS, {}, id="semicolon"),
        pytest.param(
            ADMOB.replace(",", "\t") + '2026-01-31\t"My, ""app"""\tu\tUS\tbanner\tUSD\t10\t1.5\n', {}, id="tab"
        ),
        pytest.param(ADMOB + A_ROW, {"separator": "comma"}, id="told"),
        pytest.param((ADMOB + A_ROW).encode("utf-16"), {}, id="utf-16"),
    ],
)
def test_a_statement_reads_the_same_however_it_is_written(workspace, tmp_path, content, told):
    done = ingest(workspace, a_load(tmp_path, content, network="admob", **told))
    [line] = lines_of(workspace, done)
    assert (line["app_id"], line["impressions"], line["paid_micros"]) == ('My, "app"', 10, 1_500_000)


def test_a_quoted_separator_stays_in_its_field(workspace, tmp_path):
    text = ADMOB.replace(",", ";") + '2026-01-31;"a;b";u;US;banner;USD;10;1.5\n'
    assert lines_of(workspace, ingest(workspace, a_load(tmp_path, text, network="admob")))[0]["app_id"] == "a;b"


def test_names_of_other_scripts_and_encodings_are_kept(workspace, tmp_path):
    text = (ADMOB + "2026-01-31,Café à Paris,Münze,FR,banner,EUR,10,1.5\n").encode("cp1252")
    [line] = lines_of(workspace, ingest(workspace, a_load(tmp_path, text, network="admob")))
    assert (line["app_id"], line["ad_unit_id"]) == ("Café à Paris", "Münze")


BAD = {
    "bad_date": "2026-02-30,app,unit,US,banner,USD,1,1,1,",
    "bad_country": "2026-01-31,app,unit,ZZ,banner,USD,1,1,1,",
    "bad_format": "2026-01-31,app,unit,US,billboard,USD,1,1,1,",
    "bad_currency": "2026-01-31,app,unit,US,banner,USX,1,1,1,",
    "bad_number": "2026-01-31,app,unit,US,banner,USD,1,1,n/a,",
    "negative_number": "2026-01-31,app,unit,US,banner,USD,-1,1,1,",
    "number_too_large": "2026-01-31,app,unit,US,banner,USD,1,1,99999999999999,",
    "ambiguous_number": '2026-01-31,app,unit,US,banner,USD,1,1,"1,234",',
    "missing_value": "2026-01-31,,unit,US,banner,USD,1,1,1,",
}


@pytest.mark.parametrize("code", BAD)
def test_a_bad_cell_sends_its_row_to_quarantine(workspace, tmp_path, code):
    done = ingest(workspace, a_load(tmp_path, HEADER + ROW + "\n" + BAD[code] + "\n" + ROW.replace("unit", "other")))
    assert (done.outcome, done.lines, done.reasons) == ("loaded", 2, {code: 1})
    [refused] = lines_of(workspace, done, "quarantine")
    assert (refused["file"], refused["row_no"], refused["line"]) == ("statement.csv", 2, 4)
    assert refused["raw"].startswith("2026")
    assert [line["row_no"] for line in lines_of(workspace, done)] == [1, 3]


def test_03_04_is_no_day_and_nothing_unread_is_0(workspace, tmp_path):
    rows = ["03/04/2026,app,unit,US,banner,USD,1,1,1,\n", "2026-01-31,app,unit,US,banner,USD,,1,x,\n"]
    done = ingest(workspace, a_load(tmp_path, HEADER + "".join(rows)))
    assert (done.outcome, done.lines, done.quarantined) == ("parse_no_rows", 0, 2)
    assert done.run_id is None
    assert workspace.store.runs.current_run(done.window) is None


def test_what_is_not_said_is_null_and_not_0(workspace, tmp_path):
    done = ingest(workspace, a_load(tmp_path, HEADER + "2026-01-31,app,unit,US,banner,USD,1,,1,\n"))
    [line] = lines_of(workspace, done)
    assert (line["clicks"], line["ivt_micros"]) == (None, None)


def test_a_ragged_row_and_a_total_are_in_quarantine_with_their_line(workspace, tmp_path):
    rows = ROW * 3 + "2026-01-31,app,unit,US\n" + ROW * 3 + "Total,,,,,,7000,,8.75,\n"
    done = ingest(workspace, a_load(tmp_path, HEADER + rows))
    assert (done.lines, done.quarantined) == (6, 2)
    assert [row["line"] for row in lines_of(workspace, done, "quarantine")] == [5, 9]


def test_amounts_beyond_six_decimals_are_rounded_and_told(workspace, tmp_path):
    rows = "".join(f"2026-01-31,app,u{i},US,banner,USD,1,1,0.0000004,\n" for i in range(3))
    done = ingest(workspace, a_load(tmp_path, HEADER + rows))
    [figure] = done.figures
    assert (figure["paid_micros"], figure["rounded_rows"], figure["rounded_away"]) == (0, 3, "0.0000012")


def test_schema_drift_loads_nothing_counts_and_exits_with_30(workspace, tmp_path):
    request = a_load(tmp_path, HEADER + ROW, HEADER.replace("paid", "payed") + ROW)
    before = ADS_INGEST_LOAD.labels("acme", "false")._value.get()
    with pytest.raises(SchemaDrift) as caught:
        ingest(workspace, request)
    assert caught.value.exit_code == 30
    assert (caught.value.fit.missing, caught.value.fit.unknown) == (("paid",), ("payed",))
    assert "missing paid" in str(caught.value)
    assert workspace.store.runs.current_run(window_of(request)) is None
    assert ADS_INGEST_LOAD.labels("acme", "false")._value.get() == before + 1


def test_a_network_that_is_not_allowed_exits_with_40(workspace, tmp_path):
    closed = replace(workspace, settings=replace(workspace.settings, ads_networks=("unity",)))
    with pytest.raises(NetworkNotAllowed) as caught:
        ingest(closed, a_load(tmp_path, HEADER + ROW))
    assert caught.value.exit_code == 40
    assert ingest(closed, a_load(tmp_path, HEADER + ROW, network="Unity")).outcome == "loaded"


def test_a_load_is_loaded_once_and_restated_only_when_told(workspace, tmp_path):
    first = a_load(tmp_path, HEADER + ROW, load_id="once")
    done = ingest(workspace, first)
    again = ingest(workspace, replace(first, files=(a_file(tmp_path / "copy", HEADER + ROW, "renamed.csv"),)))
    assert (again.outcome, again.run_id) == ("already_loaded", done.run_id)
    changed = a_load(tmp_path, HEADER + ROW.replace("1.25", "1.5"), load_id="once")
    with pytest.raises(LoadDiffers, match="--restate"):
        ingest(workspace, changed)
    with pytest.raises(LoadDiffers, match="other options"):
        ingest(workspace, replace(first, report_id="weekly"))
    restated = ingest(workspace, replace(changed, restates=True))
    assert restated.outcome == "restated"
    assert [line["paid_micros"] for line in lines_of(workspace, restated)] == [1_500_000]
    assert workspace.store.runs.current_run(window_of(first)).run_id == restated.run_id
    assert ingest(workspace, replace(changed, restates=True)).outcome == "already_loaded"
    assert ingest(workspace, replace(first, restates=True)).run_id == done.run_id  # the same run, the same bytes


def test_a_dry_run_says_all_and_stores_no_run(workspace, tmp_path):
    request = a_load(tmp_path, HEADER + ROW + BAD["bad_date"] + "\n", is_dry_run=True)
    done = ingest(workspace, request)
    assert (done.outcome, done.lines, done.quarantined, done.run_id) == ("dry_run", 1, 1, None)
    assert done.refused[0]["line"] == 3
    assert workspace.store.runs.current_run(window_of(request)) is None


def test_several_files_are_one_load_and_each_line_names_its_own(workspace, tmp_path):
    done = ingest(workspace, a_load(tmp_path, HEADER + ROW, HEADER + ROW.replace("app", "b") * 2))
    assert [line["row_no"] for line in lines_of(workspace, done)] == [1, 1, 2]
    assert len({line["artifact_id"] for line in lines_of(workspace, done)}) == 2


def test_limits_and_names_are_held(workspace, tmp_path):
    with pytest.raises(TooManyRows):
        ingest(workspace, a_load(tmp_path, HEADER + ROW * 3, max_rows=2))
    with pytest.raises(FileTooLarge):
        ingest(workspace, a_load(tmp_path, HEADER + ROW, max_bytes=10))
    with pytest.raises(BadLoad, match=r"not called \.csv"):
        ingest(workspace, a_load(tmp_path, HEADER + ROW, name="statement.txt", is_strict_mime=True))
    with pytest.raises(BadLoad, match="--load-id"):
        ingest(workspace, a_load(tmp_path, HEADER + ROW, load_id=" "))
    with pytest.raises(BadLoad, match="no cell"):
        ingest(workspace, a_load(tmp_path, HEADER + ROW, given={"appid": "x"}))


REPORT = """[{"header": {"dateRange": {"startDate": {"year": 2026, "month": 1, "day": 1}},
  "localizationSettings": {"currencyCode": "EUR", "languageCode": "en-US"}, "reportingTimeZone": "Europe/Berlin"}},
{"row": {"dimensionValues": {"DATE": {"value": "20260131"}, "APP": {"value": "ca-app~1", "displayLabel": "A, B"},
  "AD_UNIT": {"value": "ca-app/2"}, "COUNTRY": {"value": "DE"}, "FORMAT": {"value": "app_open"}},
  "metricValues": {"ESTIMATED_EARNINGS": {"microsValue": "6500001"}, "IMPRESSIONS": {"integerValue": "400"},
  "CLICKS": {"integerValue": "7"}, "IMPRESSION_RPM": {"doubleValue": 16.25}}}},
{"footer": {"matchingRowCount": "%s"}}]"""


def test_an_admob_report_is_read_in_micros_with_the_currency_of_its_header(workspace, tmp_path):
    done = ingest(workspace, a_load(tmp_path, REPORT % 1, network="admob", name="report.json"))
    assert done.layouts == {"report.json": "admob_report"}
    [line] = lines_of(workspace, done)
    assert (line["event_date"], line["currency"], line["format"]) == (date(2026, 1, 31), "EUR", "interstitial")
    assert (line["impressions"], line["clicks"], line["paid_micros"]) == (400, 7, 6_500_001)


@pytest.mark.parametrize("count", ["2", "0", "many"])
def test_an_admob_report_whose_footer_counts_other_rows_is_refused(workspace, tmp_path, count):
    with pytest.raises(ReportIncomplete):
        ingest(workspace, a_load(tmp_path, REPORT % count, network="admob", name="report.json"))


def test_an_admob_report_that_was_cut_before_its_footer_is_refused(workspace, tmp_path):
    cut = REPORT[: REPORT.index(',\n{"footer"')] + "]"
    with pytest.raises(SchemaDrift, match="footer"):
        ingest(workspace, a_load(tmp_path, cut, network="admob", name="report.json"))


IMPRESSIONS = (
    "Date,Ad Unit ID,Ad Unit Name,Waterfall,Ad Format,Placement,Country,Device Type,"
    "IDFA,IDFV,User ID,Revenue,Ad Placement\n"
    "2026-01-31 15:53:07.39,97f7,interstitial-main,Default,INTER,home,kr,PHONE,,,user_1,0.000079,16427992\n"
)
USERS = "Ad Unit ID,Placement,IDFA,IDFV,User Id,Impressions,Revenue\n97f7,home,,,user_1,27,5.000025\n"


def test_user_level_revenue_by_impression(workspace, tmp_path):
    request = a_load(tmp_path, IMPRESSIONS, network="applovin", given={"app_id": "com.example"})
    [line] = lines_of(workspace, ingest(workspace, request))
    assert (line["event_date"], line["country"], line["format"]) == (date(2026, 1, 31), "KR", "interstitial")
    assert (line["app_id"], line["currency"], line["impressions"], line["paid_micros"]) == ("com.example", "USD", 1, 79)


def test_user_level_revenue_by_user_needs_what_it_does_not_say(workspace, tmp_path):
    with pytest.raises(SchemaDrift, match="event_date"):
        ingest(workspace, a_load(tmp_path, USERS, network="applovin"))
    told = {"app_id": "com.example", "event_date": "2026-01-31", "country": "US", "format": "INTER"}
    [line] = lines_of(workspace, ingest(workspace, a_load(tmp_path, USERS, network="applovin", given=told)))
    assert (line["impressions"], line["paid_micros"], line["format"]) == (27, 5_000_025, "interstitial")


def test_real_earnings_of_google_play(workspace):
    path = SAMPLES / "google_play_earnings.csv"
    done = ingest(workspace, IngestRequest("google_play", "november", "earnings", (path,)))
    rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))
    assert (done.lines, done.quarantined) == (len(rows), 0)
    total = sum(Decimal(row["amount_merchant_currency_"]) for row in rows)
    assert [figure["paid_micros"] for figure in done.figures] == [int(total * 10**6)]
    assert {line["format"] for line in lines_of(workspace, done)} <= {"charge", "google_fee", "tax", "charge_refund"}


def _oracle(row: dict[str, str]) -> int | None:
    """What a row pays, in micros; None where it must be refused. Obviously right, one row at a time."""
    try:
        date.fromisoformat(row["event_date"])
        counts = [int(row[cell]) for cell in ("impressions", "clicks") if row[cell]]
        paid = Decimal(row["paid"])
    except (ValueError, ArithmeticError):
        return None
    is_known = row["country"] in {"US", "DE", "JP"} and row["format"] in {"banner", "native", "VAST"}
    if not is_known or not row["impressions"] or min(counts) < 0 or not row["app_id"].strip():
        return None
    if abs(paid) >= 10**13:
        return None
    micros = int(paid.scaleb(6).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    return micros if abs(micros) < 2**63 else None


ROWS = st.fixed_dictionaries(
    {
        "event_date": st.sampled_from(["2026-01-31", "2026-02-28", "2026-02-30", "31.01.2026", ""]),
        "app_id": st.sampled_from(["a", 'b, "c"', "ü", "x;y", " "]),
        "ad_unit_id": st.sampled_from(["u1", "u2"]),
        "country": st.sampled_from(["US", "DE", "JP", "US", "ZZ", ""]),
        "format": st.sampled_from(["banner", "native", "VAST", "poster"]),
        "currency": st.just("USD"),
        "impressions": st.sampled_from(["0", "5", "1000", "-1", "x", ""]),
        "clicks": st.sampled_from(["0", "5", "", "-2", "y"]),
        "paid": st.one_of(
            st.decimals(-(10**6), 10**6, places=7).map(lambda number: f"{number:f}"),
            st.sampled_from(["", "free", "1e-3", "9e99", "-0.0000005"]),
        ),
    }
)


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=st.lists(ROWS, min_size=2, max_size=30), delimiter=st.sampled_from([",", ";", "\t"]))
def test_each_row_is_a_line_or_refused_as_a_reader_with_a_pencil_would(workspace, tmp_path, rows, delimiter):
    text = io.StringIO()
    good = {**rows[0], "event_date": "2026-01-31", "app_id": "a", "country": "US", "format": "banner"}
    good |= {"impressions": "1", "clicks": "0", "paid": "0.5"}
    every = [good, *rows, good]
    writer = csv.DictWriter(text, list(every[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(every)
    done = ingest(workspace, a_load(tmp_path, text.getvalue()))
    expected = {number: paid for number, row in enumerate(every, 1) if (paid := _oracle(row)) is not None}
    assert {line["row_no"]: line["paid_micros"] for line in lines_of(workspace, done)} == expected
    refused = [row["row_no"] for row in lines_of(workspace, done, "quarantine")]
    assert sorted([*expected, *refused]) == list(range(1, len(every) + 1))
