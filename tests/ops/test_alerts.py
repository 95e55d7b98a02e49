import re

import yaml

from tests.ops.prometheus import REPOSITORY, RULES, alerts, anchors_of, metrics_of, promtool
from tieout.core import metrics

NAMES = [
    "VRA_Coverage_Drop_DoD",
    "VRA_Unexplained_Variance_Sustained",
    "VRA_Ingest_Schema_Drift",
    "VRA_Proofs_Verify_Failures",
    "VRA_Reconcile_Deltas_Spike",
    "VRA_Query_Failures",
]
UNIT_TESTS = sorted(RULES.parent.glob("*.test.yml"))


def test_the_alerts_fire_when_they_should_and_not_before():
    assert "6 rules found" in promtool("check", "rules", RULES)
    assert "SUCCESS" in promtool("check", "config", RULES.parent / "prometheus.yml")
    assert promtool("test", "rules", *UNIT_TESTS).count("SUCCESS") == len(UNIT_TESTS) == 2


def test_every_alert_is_tested_firing_and_silent():
    firing, silent = set(), set()
    for path in UNIT_TESTS:
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for case in test["alert_rule_test"]:
                (firing if case.get("exp_alerts") else silent).add(case["alertname"])
    assert firing == silent == set(NAMES)


def test_the_alerts_are_those_of_the_runbook_and_open_it():
    told = alerts()
    assert [one["alert"] for one in told] == NAMES
    for one in told:
        assert one["labels"] == {"severity": "warning", "service": "vra"}
        page, _, anchor = one["annotations"]["runbook_url"].partition("#")
        assert anchor in anchors_of(REPOSITORY / page), one["alert"]


def test_the_alerts_ask_for_what_is_counted():
    declared = {one.name: one for one in metrics.list_declared()}
    for one in alerts():
        names = metrics_of(one["expr"])
        assert names <= declared.keys(), one["alert"]
        asked = set(re.findall(r"(\w+)=~?\"", one["expr"]))
        assert asked <= {label for name in names for label in declared[name].labels}
