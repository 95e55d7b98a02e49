import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.control.tenants.modules import (
    DEFAULTS,
    MODULES,
    BadModule,
    Choice,
    canonical,
    merge,
    missing_needs,
    toggles,
)


def test_what_a_module_needs_and_recommends_exists():
    for module in MODULES.values():
        assert {*module.needs, *module.recommends} <= MODULES.keys()
        assert module.key not in module.needs
        assert canonical(module.key) == module.key


def test_no_module_needs_itself_by_way_of_others():
    def reached(key, on_the_way=()):
        assert key not in on_the_way, on_the_way
        for needed in MODULES[key].needs:
            reached(needed, (*on_the_way, key))

    for key in MODULES:
        reached(key)


def test_an_application_begins_with_point_of_sale_and_inventory():
    assert {one.key for one in DEFAULTS if one.enabled} == {"pos", "inventory"}
    assert {one.key for one in DEFAULTS} == {"pos", "inventory", "menu", "reporting"}
    assert missing_needs(["pos", "inventory"]) == ["pos needs menu"]
    assert missing_needs(["pos", "inventory", "menu", "something_else"]) == []


def test_reports_is_another_word_for_reporting_and_is_never_kept():
    merged = {one.key: one for one in merge(DEFAULTS, [Choice("reports", "Reports", enabled=True)])}
    assert "reports" not in merged
    assert (merged["reporting"].enabled, merged["reporting"].category) == (True, "Insights")
    with pytest.raises(BadModule, match="reporting is named twice"):
        merge(DEFAULTS, [Choice("reports", "R", enabled=True), Choice("reporting", "R", enabled=True)])


@pytest.mark.parametrize("key", ["", "Pos", "pos module", "1pos", "pos.tickets", "p" * 65, "pos\n", "ß", "../pos"])
def test_what_is_no_key_of_a_module_is_refused(key):
    with pytest.raises(BadModule):
        canonical(key)


keys = st.sampled_from(["pos", "menu", "loyalty", "extra"])


@given(before=st.dictionaries(keys, st.booleans()), after=st.dictionaries(keys, st.booleans()))
def test_toggles_are_the_real_changes_alone(before, after):
    switched = toggles(before, after)
    assert all(one.was != one.is_now for one in switched)
    now = {key: before.get(key, False) for key in after} | {one.key: one.is_now for one in switched}
    assert now == after


@given(asked=st.dictionaries(keys, st.booleans()))
def test_a_change_leaves_what_it_does_not_name(asked):
    merged = {one.key: one for one in merge(DEFAULTS, [Choice(key, key, on) for key, on in asked.items()])}
    assert {key: merged[key].enabled for key in asked} == asked
    assert all(merged[one.key] == one for one in DEFAULTS if one.key not in asked)
    assert merged.keys() == {one.key for one in DEFAULTS} | asked.keys()
