"""Disputes over the API: shadow by default, else with a kit of evidence that names each line, and a status."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import replace
from decimal import Decimal
from itertools import count

import pytest
from fastapi.testclient import TestClient
from pyarrow.fs import LocalFileSystem
from sqlalchemy import select

from tests.api.recon_worlds import BASE, EVENTS, RECEIPTS, STATEMENT, WorldOf, a_judged_day
from tests.api.test_recon import value_of, with_settings
from tests.control.access.people import add_tenant, key_header, trail
from tieout.api.app import create_app
from tieout.books.ads.delta_csv import HEADER
from tieout.books.ads.ingest import IngestRequest, ingest
from tieout.store.kits import InBucket, InFolder, KitStorageUnusable, open_kit_storage
from tieout.store.tables import event_outbox, recon_disputes

PATH = "/api/v1/recon/disputes"
UNDERPAY = f"{BASE}:underpay"
ASKED = {"delta_ids": [UNDERPAY], "network": "unity", "contact": "claims@unity.example"}
OPEN = {"VRA_SHADOW_ONLY": "false", "VRA_ENABLED": "true"}


@pytest.fixture
def acme(platform):
    add_tenant(platform, "acme")
    return key_header(platform, "acme")


def client_of(platform, **changes):
    return TestClient(create_app(with_settings(platform, **changes)), raise_server_exceptions=False)


@pytest.fixture
def api(platform):
    with client_of(platform, flags=OPEN) as opened:
        yield opened


def kept(platform):
    with platform.of("acme").reading() as connection:
        found = connection.execute(select(recon_disputes).where(recon_disputes.c.tenant == "acme")).all()
        events = connection.scalars(select(event_outbox.c.event_type).where(event_outbox.c.tenant == "acme")).all()
    return found, events


def opened(api, headers, **changed):
    answer = api.post(PATH, json=ASKED | changed, headers=headers)
    assert answer.status_code == 201, answer.text
    return json.loads(answer.text, parse_float=Decimal)["data"]


def test_shadow_is_the_default_and_writes_nothing(platform, acme, clock):
    a_judged_day(platform, "acme")
    before = value_of("vra_dispute_shadow_acks_total", network="unity")
    with client_of(platform) as api:
        answer = api.post(PATH, json=ASKED, headers=acme)
        assert api.patch(f"{PATH}/dry-1", json={"status": "submitted"}, headers=acme).json()["code"] == "SHADOW_ONLY"
    assert answer.status_code == 202
    assert answer.json() == {
        "success": True,
        "data": {
            "dispute_id": f"dry-{int(clock.at.timestamp() * 1000)}",
            "status": "draft",
            "evidence_uri": "shadow://not-written",
            "amount": 0,
            "network": "unity",
            "contact": "claims@unity.example",
            "shadow": True,
        },
    }
    assert kept(platform) == ([], [])
    assert not (platform.settings.data_dir / "vra-kits").exists()
    assert value_of("vra_dispute_shadow_acks_total", network="unity") == before + 1


def test_a_dispute_is_a_draft_with_its_kit_on_the_disk(api, platform, acme, clock):
    a_judged_day(platform, "acme")
    made = opened(api, acme)
    milliseconds = int(clock.at.timestamp() * 1000)
    assert made["dispute_id"].startswith(f"disp_{milliseconds}_")
    assert len(made["dispute_id"].rsplit("_", 1)[1]) == 6
    assert (made["status"], made["amount"], made["network_amount"]) == (
        "draft",
        Decimal("0.350001"),
        Decimal("0.250001"),
    )
    assert made["evidence_uri"].startswith("file:///")
    assert made["evidence_uri"].endswith(f"/acme/disputes/{made['kit_id']}.json")
    kit = api.get(f"{PATH}/{made['dispute_id']}/kit", headers=acme)
    assert hashlib.sha256(kit.content).hexdigest() == made["kit_sha256"]
    told = kit.json()
    assert told["metadata"]["dispute_id"] == made["dispute_id"]
    assert (told["metadata"]["deltas_count"], told["metadata"]["ttl_sec"]) == (1, 3600)
    evidence = told["files"]["evidence.csv"]
    assert told["metadata"]["checksum_sha256"] == hashlib.sha256(evidence.encode()).hexdigest()
    assert evidence.splitlines()[0] == HEADER
    assert evidence.splitlines()[1].startswith("underpay,0.350001,USD,agg_underpay,")
    [line] = csv.DictReader(io.StringIO(told["files"]["lineage.csv"]))
    assert (line["evidence_id"], line["network"], line["load_id"], line["row"]) == (UNDERPAY, "unity", "u1", "1")
    assert (line["unit_amount"], line["paid"]) == ("0.250001", "0.750000")
    shown = api.get(f"{PATH}/{made['dispute_id']}", headers=acme).json()["data"]
    assert (shown["dispute_id"], shown["delta_ids"]) == (made["dispute_id"], [UNDERPAY])
    assert kept(platform)[1] == ["recon.dispute.created"]
    assert [action for action, _ in trail(platform, "acme")][-1:] == ["recon.dispute_created"]


@pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
def test_lineage_names_the_file_and_the_line_in_it(api, platform, acme, tmp_path):
    world = WorldOf(platform, "acme")
    world.own(RECEIPTS, EVENTS)
    world.statement(STATEMENT)
    sent = tmp_path / "unity-november.csv"
    head = "event_date,app_id,ad_unit_id,country,format,currency,impressions,paid"
    other = "2025-11-09,two,unit,US,banner,USD,1,4"
    sent.write_text(
        f'{head}\n"2025-11-09",two,"a\nb",US,banner,USD,1,3\n{other}\n2025-11-03,two,unit,US,banner,USD,1,0.75\n'
    )
    ingest(world.workspace, IngestRequest("Unity", "u-1", "daily", (sent,)))
    world.judge()
    made = opened(api, acme, network="UNITY")
    told = api.get(f"{PATH}/{made['dispute_id']}/kit", headers=acme).json()
    [line] = csv.DictReader(io.StringIO(told["files"]["lineage.csv"]))
    digest = hashlib.sha256(sent.read_bytes()).hexdigest()
    assert (line["file"], line["file_sha256"]) == ("unity-november.csv", digest)
    assert (line["load_id"], line["row"], line["line"]) == ("u-1", "3", "5")
    assert told["metadata"]["statements"] == [{"load_id": "u-1", "file": "unity-november.csv", "sha256": digest}]


def test_a_dispute_goes_from_draft_to_submitted_to_its_end_and_no_other_way(api, platform, acme):
    a_judged_day(platform, "acme")
    path = f"{PATH}/{opened(api, acme)['dispute_id']}"

    def change(status):
        answer = api.patch(path, json={"status": status, "note": f"to {status}"}, headers=acme)
        return answer.status_code, answer.json().get("data", {}).get("status")

    assert change("accepted") == (409, None)
    assert change("submitted") == (200, "submitted")
    assert change("submitted") == (409, None)
    assert change("accepted") == (200, "accepted")
    assert change("rejected") == (409, None)
    assert api.patch(path, json={"status": "draft"}, headers=acme).status_code == 400
    assert api.get(path, headers=acme).json()["data"]["note"] == "to accepted"
    names = ["created", "submitted", "accepted"]
    assert kept(platform)[1] == [f"recon.dispute.{name}" for name in names]
    told = [one for one in trail(platform, "acme") if one[0].startswith("recon.dispute_")]
    assert [action for action, _ in told] == [f"recon.dispute_{name}" for name in names]
    assert told[-1][1]["before"] == {"status": "submitted"}


def test_disputes_are_listed_by_status_the_newest_first(api, platform, acme, clock):
    a_judged_day(platform, "acme")
    ids = []
    for _ in range(3):
        ids.append(opened(api, acme)["dispute_id"])
        clock.pass_time(seconds=1)
    api.patch(f"{PATH}/{ids[0]}", json={"status": "submitted"}, headers=acme)

    def listed(**asked):
        body = api.get(PATH, params=asked, headers=acme).json()
        return [one["dispute_id"] for one in body["items"]], body["total"]

    assert listed() == (ids[::-1], 3)
    assert listed(page=2, page_size=2) == (ids[:1], 3)
    assert listed(status="submitted") == (ids[:1], 1)
    assert api.get(PATH, params={"status": "open"}, headers=acme).json()["error"] == "Invalid status"
    add_tenant(platform, "other")
    stranger = key_header(platform, "other")
    assert api.get(PATH, headers=stranger).json()["total"] == 0
    for path in (f"{PATH}/{ids[0]}", f"{PATH}/{ids[0]}/kit"):
        assert api.get(path, headers=stranger).status_code == 404
    assert api.post(PATH, json=ASKED, headers=stranger).json()["details"]["reason"] == "disputed_delta_unknown"


@pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"delta_ids": [], "network": "unity"}',
        b'{"delta_ids": "x", "network": "unity"}',
        b'{"delta_ids": [1], "network": "unity"}',
        b'{"delta_ids": [" "], "network": "unity"}',
        b'{"delta_ids": ["x"], "network": "  "}',
        b'{"delta_ids": ["x"]}',
        b'{"delta_ids": ["x"], "network": "unity", "contact": 5}',
    ],
)
def test_a_body_that_cannot_be_used_has_one_message(api, acme, body):
    answer = api.post(PATH, content=body, headers=acme | {"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (400, "Invalid request body")


def test_a_repeat_with_the_same_key_is_the_same_dispute(api, platform, acme):
    a_judged_day(platform, "acme")
    first, second = (opened(api, acme | {"Idempotency-Key": "k-1"})["dispute_id"] for _ in range(2))
    assert first == second
    assert len(kept(platform)[0]) == 1


@pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
def test_ids_follow_from_clock_and_randomness(platform, acme):
    a_judged_day(platform, "acme")
    ids = []
    for _ in range(2):
        numbers = count()
        same = replace(platform, random_bytes=lambda size, numbers=numbers: (next(numbers) + 7).to_bytes(size, "big"))
        with client_of(same, flags=OPEN, dispute_storage="memory") as api:
            ids.append(opened(api, acme | {"Idempotency-Key": f"k-{len(ids)}"}, network=f"n{len(ids)}")["kit_id"])
        platform.of("acme").write(
            lambda connection: connection.execute(recon_disputes.delete().where(recon_disputes.c.tenant == "acme"))
        )
    assert ids[0] == ids[1]


@pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
def test_a_kit_that_cannot_be_stored_is_an_error_and_nothing_is_recorded(platform, acme, tmp_path):
    a_judged_day(platform, "acme")
    (tmp_path / "file").write_text("no folder")
    before = value_of("vra_dispute_kit_failures_total", reason="kit_storage_unusable")
    for changes, hint in (
        ({"dispute_storage": "s3"}, "VRA_DISPUTE_BUCKET"),
        ({"dispute_fs_dir": tmp_path / "file" / "kits"}, "VRA_DISPUTE_FS_DIR"),
    ):
        with client_of(platform, flags=OPEN, **changes) as api:
            answer = api.post(PATH, json=ASKED, headers=acme)
        assert answer.status_code == 503
        assert hint in answer.json()["error"]
    assert kept(platform) == ([], [])
    assert value_of("vra_dispute_kit_failures_total", reason="kit_storage_unusable") == before + 2


@pytest.mark.parametrize("storage", ["fs", "s3", "memory"])
def test_every_storage_keeps_a_kit_for_its_tenant(tmp_path, storage):
    made = {
        "fs": lambda: InFolder(tmp_path / "kits"),
        # What is spoken to a bucket goes through the file system of Arrow; a folder of it stands in for one.
        "s3": lambda: InBucket(LocalFileSystem(), str(tmp_path / "bucket"), "vra"),
        "memory": lambda: open_kit_storage(type("S", (), {"dispute_storage": "memory"})),
    }[storage]()
    (tmp_path / "bucket" / "vra" / "acme" / "disputes").mkdir(parents=True)
    address = made.put("acme", "kit_1_abc", b"evidence")
    assert address.endswith("/acme/disputes/kit_1_abc.json")
    assert made.get("acme", "kit_1_abc") == b"evidence"
    with pytest.raises(Exception, match="not where it was stored"):
        made.get("other", "kit_1_abc")
    assert made.find_size("acme", "kit_1_abc") == 8
    assert made.find_size("other", "kit_1_abc") is None
    for _ in range(2):
        made.remove("acme", "kit_1_abc")
    assert made.find_size("acme", "kit_1_abc") is None
    assert made.check()


def test_a_kit_is_never_written_over_another(tmp_path):
    kits = InFolder(tmp_path / "kits")
    kits.put("acme", "kit_1_abc", b"evidence")
    with pytest.raises(KitStorageUnusable):
        kits.put("acme", "kit_1_abc", b"other")
    assert kits.get("acme", "kit_1_abc") == b"evidence"
    assert len(list((tmp_path / "kits" / "acme" / "disputes").iterdir())) == 1
