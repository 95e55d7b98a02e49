"""A section of routes answers what it would as a plain router, and looks at no path of others."""

from __future__ import annotations

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient

from tieout.api.section import Section


def client_of(router, paths, root_path):
    for path in paths:
        router.add_api_route(path, lambda: {"path": "found"}, methods=["GET"])
    app = FastAPI()
    app.include_router(APIRouter(prefix="/v1"))
    app.include_router(router)
    return TestClient(app, root_path=root_path)


@pytest.mark.parametrize("paths", [("/v1/things", "/v1/things/{number}"), ("/v1/things", "/{any}/odd")])
@pytest.mark.parametrize("root_path", ["", "/behind"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/things"),
        ("GET", "/v1/things/7"),
        ("GET", "/v1/things/"),
        ("GET", "/some/odd"),
        ("GET", "/v1/thing"),
        ("GET", "/other"),
        ("POST", "/v1/things"),
        ("POST", "/other"),
    ],
)
def test_it_answers_as_a_plain_router_does(method, path, root_path, paths):
    answers = [client_of(kind(), paths, root_path).request(method, root_path + path) for kind in (Section, APIRouter)]
    assert answers[0].status_code == answers[1].status_code
    assert answers[0].content == answers[1].content


def test_the_paths_of_others_are_turned_away_before_a_route_is_asked(monkeypatch):
    asked = []
    section = Section()
    section.add_api_route("/v1/things/{number}", lambda: None)
    monkeypatch.setattr(APIRouter, "matches", lambda _self, scope: asked.append(scope["path"]) or (None, {}))
    for path in ("/v1/users", "/v1/things", "/v1/things/7", "/x"):
        section.matches({"type": "http", "path": path, "root_path": "", "method": "GET"})
    assert asked == ["/v1/things/7"]
