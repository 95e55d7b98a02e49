"""The ads book over the API, as the contract prints it: bodies, messages, headers, empty answers where reads fail."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from fastapi.testclient import TestClient

from tests.api.recon_worlds import BASE, EVENTS, RECEIPTS, STATEMENT, WorldOf, a_judged_day
from tests.control.access.people import add_tenant, key_header
from tieout.api.app import create_app
from tieout.books.ads.current import gather
from tieout.books.ads.delta_csv import HEADER
from tieout.books.ads.reads import Reads
from tieout.control.flags.actions import set_flag
from tieout.core import metrics
from tieout.core.actor import Actor
from tieout.store.folders import Folders
from tieout.store.opening import Store

OVERVIEW, DELTAS, CSV = "/api/v1/recon/overview", "/api/v1/recon/deltas", "/api/v1/recon/deltas.csv"
WINDOW = {"from": "2025-11-03T00:00:00Z", "to": "2025-11-05T00:00:00Z"}
READS = (OVERVIEW, DELTAS, CSV)
HERE = {"client": ("127.0.0.1", 50000), "base_url": "http://localhost:8000", "raise_server_exceptions": False}


def with_settings(platform, **changes):
    """The same installation with other settings, and the ads book on."""
    flags = {"VRA_ENABLED": "true"} | changes.pop("flags", {})
    return replace(platform, settings=replace(platform.settings, flags=flags, **changes))


@pytest.fixture
def api(platform):
    add_tenant(platform, "acme")
    with TestClient(create_app(with_settings(platform)), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def acme(platform, api):
    return key_header(platform, "acme")


def exact(answer):
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal)


def value_of(name, **labels):
    found = [
        sample.value
        for family in metrics._own.collect()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return sum(found)


def test_overview_tells_both_sides_by_network_format_and_country(api, acme, platform):
    a_judged_day(platform, "acme")
    assert exact(api.get(OVERVIEW, params=WINDOW, headers=acme)) == {
        "success": True,
        "data": {
            "coveragePercent": 100,
            "variancePercent": 0,
            "totals": {"impressions": 2, "paid": Decimal("1.150000"), "expected": Decimal("1.500001")},
            "byBreakdown": [
                {
                    "network": "unity",
                    "format": "banner",
                    "country": "US",
                    "impressions": 1,
                    "paid": Decimal("0.750000"),
                    "expected": Decimal("1.000001"),
                },
                {
                    "network": "admob",
                    "format": "banner",
                    "country": "US",
                    "impressions": 1,
                    "paid": Decimal("0.400000"),
                    "expected": Decimal("0.500000"),
                },
            ],
            "byNetwork": [
                {
                    "network": "unity",
                    "impressions": 1,
                    "paid": Decimal("0.750000"),
                    "expected": Decimal("1.000001"),
                },
                {
                    "network": "admob",
                    "impressions": 1,
                    "paid": Decimal("0.400000"),
                    "expected": Decimal("0.500000"),
                },
            ],
        },
    }
    only = exact(api.get(OVERVIEW, params=WINDOW | {"app_id": "one"}, headers=acme))["data"]
    assert [one["network"] for one in only["byNetwork"]] == ["admob"]
    assert value_of("vra_coverage_percent", scope="pilot") == 100
    assert value_of("vra_variance_percent", scope="pilot") == 0


def test_the_gauges_of_the_pilot_keep_what_the_last_overview_with_data_said(api, acme, platform, monkeypatch):
    a_judged_day(platform, "acme")
    api.get(OVERVIEW, params=WINDOW, headers=acme)
    metrics.ADS_COVERAGE.labels("pilot").set(77)
    api.get(OVERVIEW, params={"from": "2020-01-01", "to": "2020-01-02"}, headers=acme)
    api.get(OVERVIEW, params=WINDOW | {"app_id": "one"}, headers=acme)
    with monkeypatch.context() as patched:
        patched.setattr(Reads, "_follow", lambda _: 1 / 0)
        api.get(OVERVIEW, params=WINDOW, headers=acme)
    assert value_of("vra_coverage_percent", scope="pilot") == 77
    api.get(OVERVIEW, params=WINDOW, headers=acme)
    assert value_of("vra_coverage_percent", scope="pilot") == 100


def test_without_data_the_answers_are_conservative_and_counted(api, acme):
    before = value_of("vra_empty_results_total", op="overview")
    assert exact(api.get(OVERVIEW, headers=acme)) == {
        "success": True,
        "data": {
            "coveragePercent": 0,
            "variancePercent": 0,
            "totals": {"impressions": 0, "paid": 0, "expected": 0},
            "byBreakdown": [],
            "byNetwork": [],
        },
    }
    assert value_of("vra_empty_results_total", op="overview") == before + 1
    assert exact(api.get(DELTAS, headers=acme)) == {
        "success": True,
        "items": [],
        "page": 1,
        "pageSize": 100,
        "total": 0,
    }
    assert api.get(CSV, headers=acme).text == HEADER + "\n"


def test_deltas_are_listed_filtered_and_told_by_app(api, acme, platform):
    a_judged_day(platform, "acme")
    [item] = (body := exact(api.get(DELTAS, params=WINDOW, headers=acme)))["items"]
    assert item == {
        "kind": "underpay",
        "amount": Decimal("0.350001"),
        "currency": "USD",
        "reasonCode": "agg_underpay",
        "windowStart": "2025-11-03T00:00:00Z",
        "windowEnd": "2025-11-04T00:00:00Z",
        "evidenceId": f"{BASE}:underpay",
        "confidence": Decimal("0.70"),
    }
    assert '"amount":0.350001' in api.get(DELTAS, headers=acme).text
    assert (body["page"], body["pageSize"], body["total"]) == (1, 100, 1)

    def total(**asked):
        return exact(api.get(DELTAS, params=asked, headers=acme))["total"]

    assert (total(kind="underpay"), total(kind="missing"), total(min_conf="0.7"), total(min_conf="0.71")) == (
        1,
        0,
        1,
        0,
    )
    # A window ends before `to`: one that ends at it is not in.
    assert total(to="2025-11-04T00:00:00Z") == 0
    assert total(to="2025-11-04T00:00:00.000001Z") == 1
    assert total(**{"from": "2025-11-03T00:00:00+00:00"}) == 1
    assert total(**{"from": "2025-11-03T00:00:01Z"}) == 0
    for app, amount in (("one", "0.1"), ("two", "0.250001")):
        [part] = exact(api.get(DELTAS, params={"app_id": app}, headers=acme))["items"]
        assert part["amount"] == Decimal(amount)
    assert exact(api.get(DELTAS, params={"page": 2, "page_size": 1}, headers=acme))["items"] == []


def test_the_csv_has_its_eight_columns_and_the_window_in_its_name(api, acme, platform, clock):
    a_judged_day(platform, "acme")
    answer = api.get(CSV, params=WINDOW, headers=acme)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == (
        'attachment; filename="recon_deltas_2025-11-03_to_2025-11-05_2026-03-01-12-00-00.csv"'
    )
    header, line = answer.text.splitlines()
    assert header == "kind,amount,currency,reason_code,window_start,window_end,evidence_id,confidence"
    assert line == (
        f"underpay,0.350001,USD,agg_underpay,2025-11-03T00:00:00Z,2025-11-04T00:00:00Z,{BASE}:underpay,0.70"
    )
    plain = api.get(CSV, headers=acme).headers["content-disposition"]
    assert plain == 'attachment; filename="recon_deltas_2026-03-01-12-00-00.csv"'


ON_SQLITE = pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
"""What asks the state for nothing but who calls."""


@ON_SQLITE
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"from": "yesterday"}, "Invalid from/to timestamp"),
        ({"to": "2025-13-01"}, "Invalid from/to timestamp"),
        ({"from": "0001-01-01"}, "Invalid from/to timestamp"),
        ({"from": "2025-11-02", "to": "2025-11-01"}, "from must be <= to"),
        ({"page": "0"}, "Invalid page"),
        ({"page": "1.5"}, "Invalid page"),
        ({"page": "-1"}, "Invalid page"),
        ({"page_size": "501"}, "Invalid page_size"),
        ({"page_size": "all"}, "Invalid page_size"),
        ({"min_conf": "1.01"}, "min_conf must be between 0 and 1"),
        ({"min_conf": "NaN"}, "min_conf must be between 0 and 1"),
        ({"kind": "Underpay"}, "Invalid kind"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_the_words_of_the_contract(api, acme, asked, message):
    for path in READS if set(asked) <= {"from", "to"} else (DELTAS, CSV):
        answer = api.get(path, params=asked, headers=acme)
        assert answer.status_code == 400
        assert (answer.json()["success"], answer.json()["error"]) == (False, message)


@ON_SQLITE
def test_an_equal_window_is_taken(api, acme):
    for path in READS:
        assert api.get(path, params={"from": "2025-11-02", "to": "2025-11-02"}, headers=acme).status_code == 200


@ON_SQLITE
@pytest.mark.parametrize("word", ["", "false", "TRUE", "1", "yes"])
def test_every_route_is_404_unless_the_flag_is_the_word_true(platform, word):
    off = replace(platform, settings=replace(platform.settings, flags={"VRA_ENABLED": word} if word else {}))
    with TestClient(create_app(off), raise_server_exceptions=False) as client:
        for path in READS:
            answer = client.get(path, params={"page": "x"})  # before it is asked who calls, and what
            assert answer.status_code == 404
            told = answer.json()
            assert (told["success"], told["error"], told["code"]) == (
                False,
                "Feature not available",
                "FEATURE_DISABLED",
            )


def test_the_flag_is_read_anew_without_a_restart(platform, clock):
    add_tenant(platform, "acme")
    key = key_header(platform, "acme")
    with TestClient(create_app(platform), raise_server_exceptions=False) as client:
        assert client.get(OVERVIEW, headers=key).status_code == 404
        for value, status in ((True, 200), (False, 404)):
            set_flag(platform, Actor("account:ann"), "VRA_ENABLED", value)
            clock.pass_time(seconds=6)
            assert client.get(OVERVIEW, headers=key).status_code == status


@ON_SQLITE
def test_without_a_name_it_is_401_and_says_what_helps(api):
    answer = api.get(OVERVIEW)
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTHN")
    assert "TIEOUT_ADS_LOCAL_READS" in answer.json()["error"]
    assert api.get(OVERVIEW, headers={"Authorization": "Bearer nonsense"}).status_code == 401


@ON_SQLITE
def test_programs_of_this_machine_may_read_without_a_name_where_the_operator_says_so(platform):
    a_judged_day(platform, "default")
    local = create_app(with_settings(platform, ads_local_reads=True))
    with TestClient(local, **HERE) as here:
        assert exact(here.get(DELTAS))["total"] == 1
        for handed_on in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
            assert here.get(DELTAS, headers={handed_on: "203.0.113.9"}).status_code == 401
        assert here.get(DELTAS, headers={"Host": "tieout.example.com"}).status_code == 401
        assert here.get(DELTAS, headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert here.get("/v1/runs").status_code == 401
    with TestClient(local, **HERE | {"client": ("192.0.2.7", 50000)}) as elsewhere:
        assert elsewhere.get(DELTAS).status_code == 401
    with TestClient(create_app(with_settings(platform)), **HERE) as unless_said:
        assert unless_said.get(DELTAS).status_code == 401


@ON_SQLITE
def test_a_publisher_is_held_to_its_limit_after_flag_and_sign_in(platform):
    add_tenant(platform, "acme")
    add_tenant(platform, "large")
    limited = with_settings(platform, rate_limit_ads_rpm=2, rate_limit_publishers={"large": 3})
    keys = {tenant: key_header(platform, tenant) for tenant in ("acme", "large")}
    with TestClient(create_app(limited), raise_server_exceptions=False) as client:
        for tenant, allowed in (("acme", 2), ("large", 3)):
            answers = [client.get(OVERVIEW, headers=keys[tenant]) for _ in range(allowed + 1)]
            assert [one.status_code for one in answers] == [200] * allowed + [429]
            assert answers[0].headers["RateLimit-Limit"] == str(allowed)
            assert answers[0].headers["RateLimit-Remaining"] == str(allowed - 1)
            assert answers[-1].headers["Retry-After"]
            assert answers[-1].json()["code"] == "RATE_LIMIT"
        # One address has had its say for acme; the other tenant of the same address had its own.
        assert [client.get(OVERVIEW).status_code for _ in range(3)] == [401, 401, 429]


@ON_SQLITE
def test_a_read_that_fails_is_answered_as_empty_counted_and_logged(api, acme, platform, monkeypatch, log_lines):
    a_judged_day(platform, "acme")
    before = {op: value_of("vra_query_fail_total", op=op) for op in ("overview", "deltas_count", "deltas_list")}

    def fail(self):
        raise OSError("the disk is gone")

    monkeypatch.setattr(Reads, "_follow", fail)
    assert exact(api.get(OVERVIEW, headers=acme))["data"]["byBreakdown"] == []
    assert exact(api.get(DELTAS, headers=acme)) == {
        "success": True,
        "items": [],
        "page": 1,
        "pageSize": 100,
        "total": 0,
    }
    assert api.get(CSV, headers=acme).text == HEADER + "\n"
    after = {op: value_of("vra_query_fail_total", op=op) for op in before}
    assert after == {"overview": before["overview"] + 1, "deltas_count": before["deltas_count"] + 1} | {
        "deltas_list": before["deltas_list"] + 2
    }
    logged = [json.loads(line) for line in log_lines.getvalue().splitlines()]
    told = [line["op"] for line in logged if line["event"] == "VRA safeQuery fallback"]
    assert told == ["overview", "deltas_count", "deltas_list", "deltas_list"]


def test_each_tenant_reads_its_own(api, acme, platform):
    add_tenant(platform, "other")
    a_judged_day(platform, "acme")
    other = key_header(platform, "other")
    assert exact(api.get(DELTAS, headers=other))["total"] == 0
    assert exact(api.get(OVERVIEW, params=WINDOW, headers=other))["data"]["byNetwork"] == []
    assert exact(api.get(DELTAS, headers=acme))["total"] == 1
    assert api.get(DELTAS, headers=key_header(platform, "acme", "recon.runs.read")).status_code == 403
    stores = [Store(platform.of(tenant), Folders(platform.settings.data_dir), tenant) for tenant in ("acme", "other")]
    assert [gather(store, platform.settings, least=0) for store in stores] == [True, False]
    with TestClient(create_app(with_settings(platform))) as restarted:
        for key, total in ((acme, 1), (other, 0)):
            assert exact(restarted.get(DELTAS, headers=key))["total"] == total


def test_what_is_published_is_read_at_once_and_whole(api, acme, platform):
    world = WorldOf(platform, "acme")
    assert exact(api.get(DELTAS, headers=acme))["total"] == 0
    world.own(RECEIPTS, EVENTS)
    world.statement(STATEMENT)
    world.judge()
    assert exact(api.get(DELTAS, headers=acme))["total"] > 0
    world.judge(underpay_e12=900_000_000_000, missing_e12=900_000_000_000)
    assert [one["kind"] for one in exact(api.get(DELTAS, headers=acme))["items"]] == []
