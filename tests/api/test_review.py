"""The review queue of the ads book over the API: what waits, deciding, and four eyes between two keys."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from tests.api.recon_worlds import DAY, WorldOf
from tests.api.test_recon import with_settings
from tests.books.ads.test_reviewing import EVENTS, LINES, RECEIPTS
from tests.control.access.people import add_tenant, key_header, trail
from tieout.api.app import create_app
from tieout.books.ads.expected import build_expected
from tieout.books.ads.matching import match_ads, match_rules

PATH = "/api/v1/recon/review"


@pytest.fixture
def world(platform):
    for tenant in ("acme", "other"):
        add_tenant(platform, tenant)
    made = WorldOf(platform, "acme")
    made.own(RECEIPTS, EVENTS)
    made.statement(LINES)
    build_expected(made.workspace, DAY)
    return made


def match(world):
    return match_ads(world.workspace, DAY, match_rules("0.80", "0.40", keeps_review=True))


def test_two_people_decide_and_the_next_matching_follows(platform, world):
    match(world)
    ann, ben = (key_header(platform, "acme") for _ in range(2))
    with TestClient(create_app(with_settings(platform, ads_four_eyes=True)), raise_server_exceptions=False) as api:
        listed = api.get(PATH, headers=ann).json()
        assert (listed["total"], listed["items"][0]["paid"], listed["items"][0]["unit"]) == (2, "1.000000", "request:a")
        pair = listed["items"][0]["pair"]

        def decide(who, ruling="accepted"):
            return api.post(f"{PATH}/decisions", json={"pairs": [pair], "ruling": ruling}, headers=who)

        first = decide(ann)
        assert (first.status_code, first.json()["items"][0]["is_final"]) == (201, False)
        assert api.get(PATH, headers=ben).json()["items"][0]["proposal"]["ruling"] == "accepted"
        again = decide(ann)
        assert (again.status_code, again.json()["details"]["reason"]) == (409, "second_person_needed")
        assert decide(ben).json()["items"][0]["is_final"] is True
        told = api.get(f"{PATH}/decisions", headers=ann).json()["items"]
        assert [(one["is_final"], one["counts"]) for one in told] == [(True, True), (False, False)]
        assert match(world).auto == 1
        assert [action for action, _ in trail(platform, "acme")].count("recon.pair_accepted") == 2


@pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
def test_who_may_decide_and_about_what(platform, world):
    match(world)
    with TestClient(create_app(with_settings(platform)), raise_server_exceptions=False) as api:
        [first, _] = api.get(PATH, headers=key_header(platform, "acme")).json()["items"]
        body = {"pairs": [first["pair"]], "ruling": "accepted"}
        stranger, reader = key_header(platform, "other"), key_header(platform, "acme", "recon.ads.read")
        assert api.get(PATH, headers=stranger).json()["total"] == 0
        assert api.post(f"{PATH}/decisions", json=body, headers=stranger).status_code == 404
        assert api.post(f"{PATH}/decisions", json=body, headers=reader).status_code == 403
        for wrong in ({"pairs": []}, {"pairs": ["x"]}, {"ruling": "maybe"}):
            answer = api.post(f"{PATH}/decisions", json=body | wrong, headers=key_header(platform, "acme"))
            assert answer.status_code == 400
