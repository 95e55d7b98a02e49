from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import event, select
from structlog.testing import capture_logs

from tests.control.access.people import log_in, trail
from tests.control.tenants.applications import (
    PASSWORD,
    an_application,
    approved,
    decide,
    registered,
    superadmin,
)
from tieout.control.tenants.modules import Choice
from tieout.control.tenants.registering import RegistrationAlreadyProcessed, change_modules, register
from tieout.control.tenants.registering import decide as decide_action
from tieout.control.tenants.rules import Business, Owner
from tieout.core import metrics
from tieout.core.actor import Actor
from tieout.store.tables import event_outbox, tenant, tenant_registration

LISTED = "/v1/superadmin/registrations"
ANN = Actor("user:ann", "ann")


def toggled(module, enabled):
    return metrics.MODULE_TOGGLES.labels(module=module, enabled=enabled)._value.get()


def listed(client, headers, **query):
    answer = client.get(LISTED, headers=headers, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def put_modules(client, headers, registration, *modules):
    body = {"modules": [{"key": key, "name": key.title(), "enabled": on} for key, on in modules]}
    return client.patch(f"{LISTED}/{registration}/modules", headers=headers, json=body)


def everything_stored(platform):
    with platform.all_tenants.reading() as connection:
        return "".join(repr(row) for row in connection.execute(select(tenant_registration)))


# Applying


def test_anyone_may_apply_and_an_administrator_sees_it_as_the_contract_prints_it(platform, client):
    registration = registered(client)
    [item] = listed(client, superadmin(platform))
    assert item == {
        "id": registration,
        "status": "pending",
        "business": an_application()["business"],
        "owner": {"firstName": "Mia", "lastName": "Stone", "email": "mia@blue-door.example"},
        "createdAt": "2026-03-01T12:00:00Z",
        "decidedAt": None,
        "decidedBy": None,
        "reason": None,
        "tenantId": None,
        "modules": [
            {"key": "pos", "name": "Point of sale", "enabled": True, "category": "Operations"},
            {"key": "inventory", "name": "Inventory", "enabled": True, "category": "Operations"},
            {"key": "menu", "name": "Menu", "enabled": False, "category": "Operations"},
            {"key": "reporting", "name": "Reporting", "enabled": False, "category": "Insights"},
        ],
    }


def test_a_password_is_hashed_at_intake_and_gone_after_the_decision(platform, client):
    registration = registered(client)
    assert PASSWORD not in everything_stored(platform)
    assert "$argon2id$" in everything_stored(platform)
    answers = client.get(LISTED, headers=superadmin(platform)).text
    assert "argon2" not in answers
    assert "assword" not in answers
    decide(client, superadmin(platform), registration)
    assert "argon2" not in everything_stored(platform)


@pytest.mark.parametrize(
    "change",
    [
        {"business": {"timezone": "Mars/Olympus"}},
        {"business": {"contactEmail": "nobody"}},
        {"business": {"contactPhone": "12345"}},
        {"business": {"legalName": "x" * 201}},
        {"business": {"legalName": "\u0000"}},
        {"business": {"extra": 1}},
        {"business": {"country": ""}},
        {"owner": {"password": "short"}},
        {"owner": {"password": "x" * 1025}},
        {"owner": {"email": None}},
        {"owner": {"firstName": ["Mia"]}},
    ],
)
def test_an_application_that_cannot_be_is_400_and_nothing_is_stored(platform, client, change):
    answer = client.post("/v1/auth/register", json=an_application(**change))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION")
    assert everything_stored(platform) == ""


def test_what_was_typed_as_password_is_not_repeated_in_the_refusal(client):
    answer = client.post("/v1/auth/register", json=an_application(owner={"password": "hunter2"}))
    assert answer.status_code == 400
    assert "hunter2" not in answer.text


# Listing


def test_applications_are_listed_newest_first_by_pages_and_status(platform, client, clock):
    headers, made = superadmin(platform), []
    for _ in range(5):
        clock.pass_time(seconds=1)
        made.insert(0, registered(client))
    assert [one["id"] for one in listed(client, headers)] == made
    assert [one["id"] for one in listed(client, headers, limit=2, offset=1)] == made[1:3]
    decide(client, headers, made[0], "reject")
    decide(client, headers, made[1])
    for status, expected in (("rejected", made[:1]), ("approved", made[1:2]), ("pending", made[2:])):
        assert [one["id"] for one in listed(client, headers, status=status)] == expected
    for wrong in ({"limit": 0}, {"limit": 101}, {"offset": -1}, {"offset": 10**30}, {"status": "maybe"}):
        assert client.get(LISTED, headers=headers, params=wrong).status_code == 400


def test_only_administrators_of_the_platform_see_and_decide(platform, client):
    registration = registered(client)
    tenant_id = approved(client, platform, owner={"email": "owner@other.example"})
    token = log_in(client, "owner@other.example", PASSWORD).json()["data"]["tokens"]["accessToken"]
    owner, reader = {"Authorization": f"Bearer {token}"}, superadmin(platform, "tenant_registrations.read")
    approver = superadmin(platform, "tenant_registrations.read", "tenant_registrations.approve")
    for headers in (owner, {}):
        expected = 403 if headers else 401
        assert client.get(LISTED, headers=headers).status_code == expected
        assert decide(client, headers, registration).status_code == expected
        assert put_modules(client, headers, registration, ("menu", True)).status_code == expected
        assert client.get(f"/v1/superadmin/tenants/{tenant_id}", headers=headers).status_code == expected
    assert client.get(LISTED, headers=reader).status_code == 200
    assert decide(client, reader, registration).status_code == 403
    assert decide(client, approver, registration, "reject").status_code == 403
    assert decide(client, approver, registration).status_code == 200


# Modules of an application


def test_a_real_change_of_modules_is_recorded_counted_and_logged_and_no_other(platform, client):
    headers, registration = superadmin(platform), registered(client)
    menu, pos = toggled("menu", "true"), toggled("pos", "false")
    with capture_logs() as logs:
        answer = put_modules(client, headers, registration, ("menu", True), ("pos", False), ("inventory", True))
        again = put_modules(client, headers, registration, ("menu", True), ("loyalty", False))
    assert (answer.status_code, again.status_code) == (200, 200)
    enabled = {one["key"]: one["enabled"] for one in again.json()["data"]["modules"]}
    assert enabled == {"pos": False, "inventory": True, "menu": True, "reporting": False, "loyalty": False}
    switched = [{"key": "pos", "from": True, "to": False}, {"key": "menu", "from": False, "to": True}]
    assert [delta for action, delta in trail(platform, registration) if action.endswith("toggled")] == [
        {"toggles": switched}
    ]
    assert (toggled("menu", "true"), toggled("pos", "false")) == (menu + 1, pos + 1)
    told = [one for one in logs if one["event"] == "superadmin.module_toggles.updated"]
    assert [(one["toggles"], one["registration_id"]) for one in told] == [(switched, registration)]


def test_the_event_says_which_module_of_the_product_and_which_thing(platform, client):
    from tieout.store.tables import audit_events

    registration = registered(client)
    put_modules(client, superadmin(platform), registration, ("reports", True))
    with platform.of(registration).reading() as connection:
        own = select(audit_events).where(audit_events.c.tenant == registration).order_by(audit_events.c.seq)
        rows = connection.execute(own).all()
    assert [(row.module, row.action, row.entity_type, row.entity_id, row.tenant) for row in rows] == [
        ("superadmin", "registration.submitted", "tenant_registration", registration, registration),
        ("superadmin", "registration.module_toggled", "tenant_registration", registration, registration),
    ]
    assert rows[1].delta == {"toggles": [{"key": "reporting", "from": False, "to": True}]}
    assert rows[1].actor.startswith("key:")


def test_what_a_module_lacks_is_said_but_not_refused(platform, client):
    headers, registration = superadmin(platform), registered(client)
    warnings = put_modules(client, headers, registration, ("loyalty", True), ("pos", False)).json()["meta"]["warnings"]
    assert warnings == ["loyalty needs pos"]


@pytest.mark.parametrize(
    "modules", [[], [("Pos", True)], [("pos", True), ("pos", False)], [("reports", True), ("reporting", True)]]
)
def test_modules_that_cannot_be_are_400(platform, client, modules):
    headers, registration = superadmin(platform), registered(client)
    assert put_modules(client, headers, registration, *modules).status_code == 400


def test_a_change_that_is_rolled_back_is_not_counted(platform, client, monkeypatch):
    registration, before = registered(client), toggled("menu", "true")

    def fail(*_words, **_more):
        raise ZeroDivisionError

    monkeypatch.setattr("tieout.control.tenants.registering.record", fail)
    with pytest.raises(ZeroDivisionError):
        change_modules(platform, ANN, registration, [Choice("menu", "Menu", enabled=True)])
    assert toggled("menu", "true") == before


# Deciding


def test_an_approved_application_becomes_a_tenant_whose_owner_signs_in(platform, client, clock):
    headers, registration = superadmin(platform), registered(client)
    clock.pass_time(hours=1)
    answer = decide(
        client,
        headers,
        registration,
        reason=" welcome ",
        modules=[
            {"key": "menu", "name": "Menu", "enabled": True},
            {"key": "reports", "name": "Reports", "enabled": False},
        ],
    )
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    enabled = {one["key"]: one["enabled"] for one in data.pop("modules")}
    assert data == {"status": "approved", "tenantId": registration, "alias": "blue-door", "ownerUserId": registration}
    assert enabled == {"pos": True, "inventory": True, "menu": True, "reporting": False}

    found = client.get(f"/v1/superadmin/tenants/{registration}", headers=headers).json()["data"]
    assert (found["name"], found["alias"], found["status"]) == ("Blue Door Restaurants GmbH", "blue-door", "active")
    assert found["timezone"] == "Europe/Berlin"
    assert found["profile"] == {
        "legalName": "Blue Door Restaurants GmbH",
        "doingBusinessAs": "Blue Door",
        "contactEmail": "office@blue-door.example",
        "contactPhone": "+49 30 1234567",
        "country": "DE",
    }
    assert {one["key"]: (one["enabled"], one["source"]) for one in found["modules"]} == {
        key: (on, "superadmin") for key, on in enabled.items()
    }
    [item] = listed(client, headers)
    assert (item["status"], item["tenantId"], item["reason"]) == ("approved", registration, "welcome")
    assert item["decidedAt"] == "2026-03-01T13:00:00Z"
    assert item["decidedBy"].startswith("key:")

    user = log_in(client, "mia@blue-door.example", PASSWORD).json()["data"]["user"]
    assert (user["id"], user["tenantId"], user["roles"]) == (registration, registration, ["Business Owner"])
    actions = [action for action, _ in trail(platform, registration)]
    assert actions[:3] == ["registration.submitted", "registration.approved", "registration.module_toggled"]
    assert trail(platform, registration)[2][1] == {"toggles": [{"key": "menu", "from": False, "to": True}]}
    with platform.of(registration).reading() as connection:
        events = connection.execute(select(event_outbox.c.event_type, event_outbox.c.entity_id)).all()
    assert events == [("tenant.approved", registration)]


def test_a_rejected_application_becomes_nothing(platform, client):
    headers, registration = superadmin(platform), registered(client)
    answer = decide(client, headers, registration, "reject", reason="no such street")
    assert answer.json() == {"data": {"status": "rejected"}}
    assert client.get("/v1/superadmin/tenants", headers=headers).json()["meta"]["total"] == 0
    assert log_in(client, "mia@blue-door.example", PASSWORD).status_code == 401
    assert trail(platform, registration)[-1] == (
        "registration.rejected",
        {"from": "pending", "to": "rejected", "reason": "no such street"},
    )


def test_what_is_decided_stays_decided(platform, client):
    headers, registration = superadmin(platform), registered(client)
    decide(client, headers, registration)
    for again in (
        decide(client, headers, registration),
        decide(client, headers, registration, "reject"),
        put_modules(client, headers, registration, ("menu", True)),
    ):
        error = again.json()["error"]
        assert (again.status_code, error["code"], error["message"]) == (
            409,
            "CONFLICT",
            "Registration already processed",
        )
    for unknown in (decide(client, headers, "nothing"), put_modules(client, headers, "nothing", ("menu", True))):
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "NOT_FOUND")


def test_businesses_of_one_name_get_aliases_of_their_own(platform, client):
    tenants = [approved(client, platform, owner={"email": f"owner{n}@x.example"}) for n in range(3)]
    headers = superadmin(platform)
    aliases = [client.get(f"/v1/superadmin/tenants/{one}", headers=headers).json()["data"]["alias"] for one in tenants]
    assert aliases == ["blue-door", "blue-door-2", "blue-door-3"]


def apply_directly(platform, number=0):
    business = Business("Blue Door GmbH", "Blue Door", "a@b.example", "+49 30 1234567", "DE", "UTC")
    return register(platform, ANN, business, Owner("Mia", "Stone", f"mia{number}@b.example"), PASSWORD).registration_id


def at_once(actions):
    start = Barrier(len(actions))

    def run(action):
        start.wait(20)
        try:
            return action()
        except RegistrationAlreadyProcessed as error:
            return error

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(run, actions))


def test_of_many_who_decide_at_once_one_does(platform):
    registration = apply_directly(platform)
    deciders = [Actor(f"user:{number}") for number in range(6)]
    verdicts = ["approve", "reject"] * 3
    done = at_once(
        [
            lambda who=who, verdict=verdict: decide_action(platform, who, registration, verdict)
            for who, verdict in zip(deciders, verdicts, strict=True)
        ]
    )
    winners = [(who, one) for who, one in zip(deciders, done, strict=True) if not isinstance(one, Exception)]
    assert len(winners) == 1
    with platform.all_tenants.reading() as connection:
        row = connection.execute(select(tenant_registration)).one()
        made = connection.execute(select(tenant)).all()
    assert row.decided_by == winners[0][0].name
    assert len(made) == (row.status == "approved")
    assert len(trail(platform, registration)) == 2


def test_businesses_of_one_name_that_are_approved_at_once_all_become_tenants(platform):
    crowd = 8
    registrations = [apply_directly(platform, number) for number in range(crowd)]
    at_once([lambda one=one: decide_action(platform, ANN, one, "approve") for one in registrations])
    with platform.all_tenants.reading() as connection:
        aliases = set(connection.scalars(select(tenant.c.alias)))
    assert aliases == {"blue-door", *(f"blue-door-{number}" for number in range(2, crowd + 1))}


def test_an_approval_that_fails_leaves_nothing(platform, monkeypatch):
    registration = apply_directly(platform)

    def fail(*_words, **_more):
        raise ZeroDivisionError

    monkeypatch.setattr("tieout.control.tenants.registering.assign_role", fail)
    with pytest.raises(ZeroDivisionError):
        decide_action(platform, ANN, registration, "approve")
    with platform.all_tenants.reading() as connection:
        assert connection.execute(select(tenant)).all() == []
        assert connection.scalar(select(tenant_registration.c.status)) == "pending"
    assert len(trail(platform, registration)) == 1


# Analytics


def test_switches_are_counted_in_sql_from_the_audit_trail(platform, client, clock):
    headers = superadmin(platform)
    old = registered(client)
    put_modules(client, headers, old, ("menu", True))
    clock.pass_time(days=29, hours=23)
    new = registered(client)
    put_modules(client, headers, new, ("menu", True), ("pos", False))
    put_modules(client, headers, new, ("menu", False))

    def totals(**query):
        answer = client.get("/v1/superadmin/analytics/module-toggles", headers=headers, params=query)
        return answer.json()["data"]

    pos = {"module": "pos", "enabledCount": 0, "disabledCount": 1}
    assert totals() == {
        "windowDays": 30,
        "totals": [{"module": "menu", "enabledCount": 2, "disabledCount": 1}, pos],
    }
    assert totals(windowDays=29)["totals"] == [{"module": "menu", "enabledCount": 1, "disabledCount": 1}, pos]
    clock.pass_time(days=180)
    assert totals(windowDays=180)["totals"] == []


@pytest.mark.parametrize("days", ["0", "181", "-1", "x", "1.5", "", "99999999999999999999"])
def test_a_window_outside_of_1_to_180_days_is_400(platform, client, days):
    answer = client.get(
        "/v1/superadmin/analytics/module-toggles", headers=superadmin(platform), params={"windowDays": days}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION")


def test_the_count_asks_the_database_once_whatever_the_number_of_rows(platform, client):
    headers = superadmin(platform)
    for _ in range(3):
        put_modules(client, headers, registered(client), ("menu", True))
    client.get("/v1/superadmin/analytics/module-toggles", headers=headers)
    statements = []
    event.listen(platform.state.engine, "before_cursor_execute", lambda *words: statements.append(words[2]))
    client.get("/v1/superadmin/analytics/module-toggles", headers=headers)
    assert len([one for one in statements if "audit_events" in one]) == 1


def test_what_is_two_days_old_is_no_part_of_a_window_of_one(platform, client, clock):
    put_modules(client, superadmin(platform), registered(client), ("menu", True))
    clock.at += timedelta(days=1)
    answer = client.get("/v1/superadmin/analytics/module-toggles?windowDays=1", headers=superadmin(platform))
    assert answer.json()["data"]["totals"] == []
