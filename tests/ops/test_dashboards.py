import json
import re

import pytest

from checks.dashboards_in_step import list_faults
from ops.grafana.boards import BOARDS
from ops.grafana.dashboards import FOLDER, build_all, main
from tests.ops.prometheus import REPOSITORY, anchors_of, check_expressions, metrics_of
from tieout.core import metrics

DASHBOARDS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}
PANELS = {uid: {panel["title"]: panel for panel in board["panels"]} for uid, board in DASHBOARDS.items()}
EXPRESSIONS = [target["expr"] for panels in PANELS.values() for panel in panels.values() for target in panel["targets"]]


def links_of(board):
    return [link["url"] for one in (board, *board["panels"]) for link in one["links"]]


def test_the_dashboards_are_those_of_the_boards():
    assert list_faults() == []
    assert set(DASHBOARDS) == {"vra-overview", "vra-ingest-by-network", "vra-matching", "vra-reconcile"}


def test_what_is_not_in_step_is_said(tmp_path):
    main([str(tmp_path)])
    assert list_faults(tmp_path) == []
    (tmp_path / "vra-matching.json").unlink()
    (tmp_path / "vra-overview.json").write_text("{}")
    (tmp_path / "other.json").write_text("{}")
    assert [fault.partition(" is ")[2] for fault in list_faults(tmp_path)] == [
        "missing; run: make dashboards",
        "no board's",
        "not what its board says; run: make dashboards",
    ]


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_a_dashboard_shows_the_last_day_and_opens_the_runbook(uid):
    board = DASHBOARDS[uid]
    assert (board["uid"], board["time"]) == (uid, {"from": "now-24h", "to": "now"})
    anchors = anchors_of(REPOSITORY / "docs/runbooks/ads.md")
    for url in links_of(board):
        page, _, anchor = url.partition("#")
        assert page == "${runbooks}/ads.md"
        assert anchor in anchors
    for panel in board["panels"]:
        assert panel["description"], panel["title"]
        assert panel["links"], panel["title"]


def test_the_links_find_the_runbooks_of_an_installation():
    for text in build_all("https://pages.example/runbooks").values():
        [found] = [one for one in json.loads(text)["templating"]["list"] if one["name"] == "runbooks"]
        assert found["query"] == "https://pages.example/runbooks"


def test_the_panels_that_the_runbook_names_are_there():
    assert {"Matching funnel", "Match duration p95 (seconds)"} <= PANELS["vra-matching"].keys()
    assert {"Reconcile run rate", "Reconcile duration p95", "Deltas by kind"} <= PANELS["vra-reconcile"].keys()
    assert {"Ingestion reliability", "Query failovers"} <= PANELS["vra-overview"].keys()
    page = (REPOSITORY / "docs/runbooks/ads.md").read_text(encoding="utf-8")
    known = {title for panels in PANELS.values() for title in panels}
    assert {" ".join(title.split()) for title in re.findall(r"“([^”]+)”", page)} <= known


def test_every_expression_is_one(tmp_path):
    check_expressions(EXPRESSIONS, tmp_path)


def test_every_panel_asks_for_what_is_counted_by_labels_that_it_has():
    declared = {one.name: set(one.labels) | {"le"} for one in metrics.list_declared()}
    for expression in EXPRESSIONS:
        names = metrics_of(expression)
        assert names, expression
        assert names <= declared.keys(), expression
        by = {label for words in re.findall(r"by \(([^)]*)\)", expression) for label in words.split(", ")}
        by |= set(re.findall(r"(\w+)=~?\"", expression))
        assert all(by <= declared[name] for name in names), expression


def test_panels_do_not_overlap():
    for board in BOARDS:
        cells = [
            (x, y)
            for panel in DASHBOARDS[board.uid]["panels"]
            for place in [panel["gridPos"]]
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(cells) == len(set(cells))
        assert max(x for x, _ in cells) < 24
