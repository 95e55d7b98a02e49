from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.control.access.caller import Caller, NotAllowed
from tieout.control.access.permissions import covers, is_allowed, is_of_the_platform
from tieout.control.access.registry import DEFAULT_ROLES, PERMISSIONS, PLATFORM_ROLES, check_patterns
from tieout.core.actor import Actor

# A small alphabet whose third letter stands in no pattern: what patterns say of it they say of any other word.
WORDS = [".".join(parts) for n in (1, 2, 3, 4) for parts in itertools.product("abc", repeat=n)]
patterns = st.lists(st.sampled_from("ab*"), min_size=1, max_size=3).map(".".join)
signed = st.builds(lambda taken, pattern: "!" * taken + pattern, st.booleans(), patterns)


@pytest.mark.parametrize(
    ("granted", "wanted", "expected"),
    [
        (["pos.tickets.create"], "pos.tickets.create", True),
        (["pos.tickets.create"], "pos.tickets", False),
        (["pos.tickets.create"], "pos.tickets.create.all", False),
        (["pos.tickets.creat"], "pos.tickets.create", False),
        (["pos.*"], "pos.tickets.create", True),
        (["pos.*"], "pos", False),
        (["pos.*"], "poste.tickets.create", False),
        (["pos.*.create"], "pos.tickets.create", True),
        (["pos.*.create"], "pos.tickets.refund", False),
        (["*.tickets.create"], "pos.tickets.create", True),
        (["pos.tick*"], "pos.tickets.create", False),
        (["*"], "anything.at.all", True),
        (["*", "!superadmin.*"], "pos.tickets.create", True),
        (["*", "!superadmin.*"], "superadmin.tenants.read", False),
        (["!superadmin.*", "superadmin.tenants.read"], "superadmin.tenants.read", False),
        (["!pos.*"], "inventory.items.read", False),
        (["!*", "*"], "pos.tickets.create", False),
        ([], "pos.tickets.create", False),
        ([""], "pos.tickets.create", False),
    ],
)
def test_patterns_grant_and_take(granted, wanted, expected):
    assert is_allowed(granted, wanted) is expected


def oracle(granted, wanted):
    """The same, spelt out: a pattern is the set of words that it stands for."""

    def stands_for(pattern, word):
        if pattern == "*":
            return True
        head, _, tail = pattern.partition(".")
        first, _, rest = word.partition(".")
        if head not in ("*", first):
            return False
        return stands_for(tail, rest) if tail and rest else not tail and not rest

    takes = any(one[0] == "!" and stands_for(one[1:], wanted) for one in granted)
    return not takes and any(one[0] != "!" and stands_for(one, wanted) for one in granted)


@given(st.lists(signed, max_size=4), st.sampled_from(WORDS))
def test_it_is_what_the_oracle_says(granted, wanted):
    assert is_allowed(granted, wanted) is oracle(granted, wanted)


@given(st.lists(signed, max_size=4), st.lists(signed, max_size=4), st.sampled_from(WORDS))
def test_nobody_gains_by_having_less_or_renouncing_more(granted, more, wanted):
    if is_allowed(granted, wanted):
        assert is_allowed([*granted, *(one for one in more if one[0] != "!")], wanted)
    else:
        assert not is_allowed([*granted, *(one for one in more if one[0] == "!")], wanted)


@given(st.lists(signed, max_size=4), st.lists(signed, max_size=4))
def test_what_is_covered_grants_nothing_else(granted, asked):
    if covers(granted, asked):
        assert all(is_allowed(granted, word) for word in WORDS if is_allowed(asked, word))


@given(st.lists(signed, max_size=4))
def test_everyone_covers_themselves_and_nothing_at_all(granted):
    assert covers(granted, granted)
    assert covers(granted, [])


@given(patterns, patterns)
def test_of_single_patterns_it_is_exact(granted, asked):
    inside = all(is_allowed([granted], word) for word in WORDS if is_allowed([asked], word))
    assert covers([granted], [asked]) is inside


@pytest.mark.parametrize(
    ("granted", "asked", "expected"),
    [
        (["*", "!superadmin.*"], ["*"], False),
        (["*", "!superadmin.*"], ["*", "!superadmin.*"], True),
        (["*", "!superadmin.*"], ["*", "!*"], True),
        (["*", "!superadmin.*"], ["pos.*"], True),
        (["*", "!superadmin.*"], ["*.tenants.read"], False),
        (["*", "!superadmin.*"], ["superadmin.tenants.read"], False),
        (["pos.*"], ["pos.tickets.*", "pos.payments.refund"], True),
        (["pos.*"], ["*"], False),
        (["pos.tickets.create", "pos.tickets.read"], ["pos.tickets.*"], False),
    ],
)
def test_nobody_hands_out_more_than_they_have(granted, asked, expected):
    assert covers(granted, asked) is expected


def test_what_concerns_all_tenants_is_for_the_platform_whatever_a_role_says():
    every = [name for name in PERMISSIONS if is_of_the_platform(name)]
    assert "tenant_registrations.approve" in every
    for name in every:
        assert not Caller("t1", Actor("user:1"), ("*", name)).may(name)
        assert Caller("superadmin", Actor("user:1"), PLATFORM_ROLES["superadmin"]).may(name)
        with pytest.raises(NotAllowed, match=name):
            Caller("t1", Actor("user:1"), ("*",)).must(name)


def test_default_roles_are_made_of_permissions_that_exist():
    assert set(DEFAULT_ROLES) == {"business_owner", "manager", "cashier", "kitchen", "inventory_manager"}
    assert DEFAULT_ROLES["business_owner"] == ("*", "!superadmin.*")
    for granted in [*DEFAULT_ROLES.values(), *PLATFORM_ROLES.values()]:
        check_patterns(granted)
    assert is_allowed(DEFAULT_ROLES["cashier"], "pos.tickets.create")
    assert not is_allowed(DEFAULT_ROLES["cashier"], "pos.payments.refund")
    assert not is_allowed(DEFAULT_ROLES["kitchen"], "pos.tickets.read")
    assert is_allowed(DEFAULT_ROLES["manager"], "pos.payments.refund")
    assert not is_allowed(DEFAULT_ROLES["manager"], "rbac.roles.assign")
    assert is_allowed(DEFAULT_ROLES["inventory_manager"], "inventory.counts.create")
