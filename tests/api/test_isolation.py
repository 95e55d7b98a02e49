"""No tenant sees or touches another's data on any route: every route is walked, new ones by themselves.

Tenant A has a row in every table of tenants, all of whose texts hold a marker. Tenant B, who may do everything that a
tenant may, asks every route for every id of A's. A route whose path or body needs something that is not known here
fails the test: say what it is of A's in PARAMETERS, or give a body that is otherwise good in BODIES.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from hashlib import sha256
from uuid import NAMESPACE_URL, uuid5

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import JSON, String, insert, select

from tests.control.access.people import add_person, add_tenant, key_header, token_header
from tests.store.filled import choices, value
from tieout.api.app import create_app, iter_routes, permission_of
from tieout.control.flags.actions import set_flag
from tieout.core.actor import Actor
from tieout.store.tables import Instant, is_of_a_tenant, metadata, tenant_registration
from tieout.store.tables.columns import DIGEST, ID

A, B = "tenant-a", "tenant-b"
MARKER = "MARKER-OF-A"
REFUSED = {403, 404}


def an_id(of):
    return str(uuid5(NAMESPACE_URL, f"{MARKER}-{of}"))


# What JSON columns of A's hold, where the code expects a shape.
SHAPES = {
    "permissions": ["*"],
    "event_types": ["*"],
    "secrets": [],
    "value": True,
    "modules": [],
    "payload": {"marker": MARKER, "data": {"data": {"marker": MARKER}}},
}

# By name of the path parameter: what it is of A's, where it is no column of a table of tenants; more than one is tried.
PARAMETERS = {
    "event_id": [an_id("audit_events")],
    "either_id": [an_id("event_outbox"), an_id("event_delivery")],
    "registration_id": [an_id("registration")],
    "tenant_id": [A],
    "verb": ["suspend"],
    "key": ["support.maintenance_mode"],
    "bundle": ["000", "000.p/1"],
    "tile": ["0/000", "0/000.p/1"],
    # Of the platform: no tenant has them.
    "integration": ["postgres"],
    "platform": ["postgres"],
    "name": ["sweep"],
}

# By method and path: a body that is refused for nothing but whose the object is.
BODIES = {
    ("POST", "/api/v1/recon/backfills"): {"from": "2026-03-01", "to": "2026-03-02"},
    ("PUT", "/v1/superadmin/flags/{key}"): {"value": True, "tenantId": A},
    ("PATCH", "/v1/webhooks/endpoints/{endpoint_id}"): {"isEnabled": False},
    ("PATCH", "/api/v1/recon/disputes/{dispute_id}"): {"status": "submitted"},
    ("POST", "/api/v1/recon/review/decisions"): {"pairs": ["0" * 16], "ruling": "accepted"},
    ("POST", "/v1/webhooks/endpoints"): {"url": "https://example.com/in", "eventTypes": ["*"]},
}

# Columns of tenants' rows whose words are the platform's: metrics show them.
OF_THE_PLATFORM = {
    ("job", "queue"): "default",
    ("job", "kind"): "noop",
    ("event_outbox", "event_type"): "pos.ticket.settled",
}


def rows_of_a():
    """Return a row of A's for each table of tenants, parents first."""
    made = {}
    for table in metadata.sorted_tables:
        if not is_of_a_tenant(table):
            continue
        row = {column.name: marked(table, column) for column in table.c}
        for constraint in table.foreign_key_constraints:
            parent = made[constraint.referred_table]
            row |= {element.parent.name: parent[element.column.name] for element in constraint.elements}
        row["tenant"] = A
        made[table] = row
    return made


def marked(table, column):
    """Return a value of A's: an id that is A's alone, a text with the marker, whatever else fits the column."""
    if (table.name, column.name) in OF_THE_PLATFORM:
        return OF_THE_PLATFORM[table.name, column.name]
    if isinstance(column.type, Instant) and column.nullable:
        return None  # neither deleted nor revoked nor expired
    if isinstance(column.type, JSON):
        return SHAPES.get(column.name, {"marker": MARKER})
    if not isinstance(column.type, String) or choices(table, column):
        return value(table, column, 0)
    if column.type.length == ID.length:
        return an_id(table.name)
    if column.type.length == DIGEST.length and column.name != "tenant":
        return sha256(f"{MARKER}-{table.name}".encode()).hexdigest()
    return f"{MARKER}-{table.name}"[: column.type.length]


@pytest.fixture
def world(platform):
    """Fill A's tables; make B a tenant as any other; return (A's rows, B's headers, A's headers)."""
    rows = rows_of_a()

    def fill(connection):
        for table, row in rows.items():
            connection.execute(insert(table).values(row))
        connection.execute(insert(tenant_registration).values(registration()))

    platform.all_tenants.write(fill)
    add_tenant(platform, B)
    return rows, key_header(platform, B), key_header(platform, A)


def is_id_or_digest(word):
    """Whether `word` has 36 or 64 characters of hexadecimal."""
    return isinstance(word, str) and bool(re.fullmatch(r"[0-9a-f-]{36}|[0-9a-f]{64}", word))


def registration():
    person = {"first_name": MARKER, "last_name": MARKER, "email": f"{MARKER}@a.example"}
    business = dict.fromkeys(("legal_name", "doing_business_as", "contact_email", "contact_phone", "country"), MARKER)
    return {
        "registration_id": an_id("registration"),
        "status": "pending",
        "business": {**business, "time_zone": "UTC"},
        "owner": person,
        "modules": [],
        "created_us": datetime(2026, 1, 1, tzinfo=UTC),
    }


@pytest.fixture
def api(platform):
    set_flag(platform, Actor("account:ann"), "VRA_ENABLED", value=True)  # else its routes are not there
    set_flag(platform, Actor("account:ann"), "VRA_SHADOW_ONLY", value=False)  # else they change nothing
    with TestClient(create_app(platform), raise_server_exceptions=False, follow_redirects=False) as opened:
        yield opened


def everything_of_a(platform):
    with platform.all_tenants.reading() as connection:
        found = {
            table.name: sorted(map(repr, connection.execute(select(table).where(table.c.tenant == A))))
            for table in metadata.sorted_tables
            if is_of_a_tenant(table)
        }
        return {**found, "registrations": list(map(repr, connection.execute(select(tenant_registration))))}


def ids_of_a(rows, name):
    """Return what a path parameter may be of A's."""
    if name in PARAMETERS:
        return PARAMETERS[name]
    found = {row[name] for table, row in rows.items() if name in row and isinstance(row[name], (str, int))}
    assert found, f"What is the path parameter {name} of A's? Say it in PARAMETERS."
    return sorted(found, key=str)


def snake(name):
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def operations(app):
    """Give each route as (method, path, operation of the OpenAPI document)."""
    paths = app.openapi()["paths"]
    for route in iter_routes(app):
        for method in sorted(route.methods or ()):
            if method not in {"HEAD", "OPTIONS"}:
                yield method, route.path_format, paths.get(route.path_format, {}).get(method.lower(), {}), route


def a_body(document, schema, rows, name=""):  # noqa: PLR0911 - one a kind
    """Return the smallest body that fits its schema, in which everything named like an id of A's is one."""
    if "$ref" in schema:
        return a_body(document, document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], rows, name)
    for some in ("anyOf", "oneOf", "allOf"):
        if some in schema:
            return a_body(document, next(one for one in schema[some] if one.get("type") != "null"), rows, name)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    kind = schema.get("type", "object")
    if kind == "object":
        known = schema.get("properties", {})
        wanted = {*schema.get("required", ()), *(one for one in known if one.endswith(("Id", "_id")))}
        return {one: a_body(document, known[one], rows, one) for one in sorted(wanted)}
    if kind == "array":
        return [a_body(document, schema["items"], rows, name)] * max(1, schema.get("minItems", 0))
    if kind == "string":
        own = [row[snake(name)] for row in rows.values() if snake(name) in row and name.lower().endswith("id")]
        if own:
            return own[0]
        if name.lower().startswith("tenant"):
            return A
        return (
            "2026-03-02T00:00:00Z" if schema.get("format") == "date-time" else "x" * max(1, schema.get("minLength", 1))
        )
    return {"boolean": True, "integer": schema.get("minimum", 1), "number": 1}[kind]


def requests_for(app, rows):
    """Give every request as (method, template, path, query, body): each route with each id of A's."""
    document = app.openapi()
    for method, template, operation, _ in operations(app):
        parameters = operation.get("parameters", [])
        names = [one["name"] for one in parameters if one["in"] == "path"] or []
        paths = [template]
        for name in names:
            paths = [path.replace(f"{{{name}}}", str(one)) for path in paths for one in ids_of_a(rows, name)]
        assert "{" not in paths[0], f"{template}: the OpenAPI document does not say what its parameters are"
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        body = BODIES.get((method, template), content and a_body(document, content["schema"], rows))
        queries = [{}]
        for one in parameters:
            is_an_id = one["in"] == "query" and any(snake(one["name"]) in row for row in rows.values())
            if is_an_id or (one["in"] == "query" and one["name"].lower().startswith("tenant")):
                whose = [A] if one["name"].lower().startswith("tenant") else ids_of_a(rows, snake(one["name"]))
                queries += [{one["name"]: this} for this in whose]
        for path in paths:
            for query in queries:
                yield method, template, path, query, body


def test_no_route_shows_or_changes_what_is_of_another_tenant(platform, api, world):
    rows, stranger, _ = world
    before, walked = everything_of_a(platform), 0
    marks = {MARKER, *(word for row in rows.values() for word in row.values() if is_id_or_digest(word))}
    for method, template, path, query, body in requests_for(api.app, rows):
        answer = api.request(method, path, params=query, json=body, headers=stranger)
        said = f"{method} {path} {query} {json.dumps(body)}: {answer.status_code} {answer.text[:500]}"
        assert answer.status_code < 500, said
        assert [one for one in marks if one in shown(answer, path, query, body)] == [], said
        if "{" in template:
            assert answer.status_code in REFUSED, f"{said}\nIf only the body is wrong, say a good one in BODIES."
        walked += 1
    assert walked >= len(list(operations(api.app)))
    assert everything_of_a(platform) == before


def shown(answer, path, query, body):
    """Return what an answer says, without what the stranger said himself."""
    text = answer.text + str(dict(answer.headers))
    for word in {*path.split("/"), *map(str, query.values()), *ids_in(body)}:
        if len(word) >= len(MARKER):
            text = text.replace(word, "")
    return text


def ids_in(body):
    if isinstance(body, dict):
        return [text for one in body.values() for text in ids_in(one)]
    if isinstance(body, list):
        return [text for one in body for text in ids_in(one)]
    return [str(body)]


READ_FILES = {
    "/api/v1/recon/disputes/{dispute_id}/kit",
    "/v1/runs/{run_id}/deltas",
    "/v1/runs/{run_id}/report",
    "/v1/runs/{run_id}/files/{name}",
    "/api/v1/proofs/tile/entries/{bundle}",
    "/api/v1/proofs/tile/{tile}",
}
"""Routes that also need files of a real run or log; test_runs.py, test_disputes.py, test_proofs.py ask as A and B."""


def test_the_walk_would_see_the_marker_where_it_is_shown(platform, api, world):
    """The same requests by A itself: else the walk might pass because it looks for what is nowhere."""
    rows, _, own = world
    seen, reached = set(), set()
    for method, template, path, query, body in requests_for(api.app, rows):
        if method != "GET":
            continue
        answer = api.request(method, path, params=query, json=body, headers=own)
        if MARKER in shown(answer, path, query, body):
            seen.add(template)
        if "{" in template and answer.status_code == 200:
            reached.add(template)
    lists = {"/v1/audit", "/v1/keys", "/v1/modules", "/v1/rbac/roles", "/v1/users", "/v1/webhooks/endpoints"}
    assert lists <= seen
    for method, template, _, route in operations(api.app):
        is_for_tenants = not (permission_of(route) or "").startswith(("superadmin.", "tenant_registrations."))
        if method == "GET" and "{" in template and is_for_tenants and template not in READ_FILES:
            assert template in reached, f"A does not reach {template} with its own ids: are PARAMETERS right?"


def test_a_signed_in_owner_of_another_tenant_gets_no_further_than_a_key(platform, api, world):
    rows, _, _ = world
    add_person(platform, B, "owner@b.example")
    stranger = token_header(api, "owner@b.example")
    before = everything_of_a(platform)
    for method, template, path, query, body in requests_for(api.app, rows):
        if "{" in template:
            answer = api.request(method, path, params=query, json=body, headers=stranger)
            assert answer.status_code in REFUSED, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
    assert everything_of_a(platform) == before


@pytest.mark.parametrize(
    "trick", ["X-Tenant-Id", "X-Tenant", "Tenant", "X-Forwarded-User", "X-Original-URL", "X-Rewrite-URL"]
)
def test_no_header_makes_another_tenant_of_the_caller(api, world, trick):
    _, stranger, _ = world
    for path in ("/v1/users", "/v1/keys", "/v1/audit", "/v1/webhooks/endpoints"):
        answer = api.get(path, headers={**stranger, trick: "/v1/users" if "URL" in trick else A})
        assert answer.status_code == 200
        assert MARKER not in answer.text


def test_every_route_says_who_may_call_it(api):
    silent = [f"{method} {path}" for method, path, _, route in operations(api.app) if permission_of(route) is None]
    assert silent == []
