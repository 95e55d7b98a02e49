"""Names of parties the way payers shorten them, and names of others that only look alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.engine.settlement.party import ALIKE, Parties, is_one_slip, is_swap, likeness

OWN = "Harbor Lantern Works Ltd"


@pytest.mark.parametrize(
    "payer",
    [
        "Harbor Lantern Works Ltd",
        "HARBOR LANTERN WORKS LTD",
        "Harbor Lantern Works",
        "Harbor Lantern",
        "Harbor Lant Wks",
        "Harbour Lantern Works",
        "H Lantern Works",
        "HLW",
        "HLW Inc",
        "HLWL",
        "Harbor Lantern Wo",
    ],
)
def test_a_shortened_name_is_alike(payer: str) -> None:
    assert likeness(payer, OWN) >= ALIKE


@pytest.mark.parametrize("payer", ["Nordic Lantern Works", "Harbor Bakery", "KLW", "", "Ltd", "Lantern"])
def test_the_name_of_another_is_not(payer: str) -> None:
    assert likeness(payer, OWN) < ALIKE


def test_words_that_are_written_together_are_the_same_name() -> None:
    assert likeness("Iron Gate Mills", "Irongate Mills") > 0.9
    assert likeness("Iron Gate Mil", "Irongate Mills") > 0.8


def test_initials_before_other_words_stand_for_the_first_words() -> None:
    assert likeness("HL Works Branch 3", "Harbor Lantern Works Branch 3") >= ALIKE


def test_a_branch_is_no_other_branch_and_less_like_the_house() -> None:
    assert likeness("Harbor Lantern Branch 3", "Harbor Lantern Branch 4") == 0
    assert likeness("Harbor Lantern", "Harbor Lantern Branch 4") > likeness("Harbor Lantern Branch 4", "Harbor Lantern")


def test_an_equal_name_leaves_no_doubt() -> None:
    parties = Parties([OWN, "Harbor Lantern Works Branch 7", "Nordic Optics"])
    assert parties.find("harbor lantern works") == ((OWN, 1.0),)
    assert [name for name, _ in parties.find("Harbor Lan")] == [OWN, "Harbor Lantern Works Branch 7"]
    assert parties.find("Umbra") == ()


def test_a_name_among_very_many_is_found_all_the_same() -> None:
    parties = Parties([OWN, *(f"Ha{number} Store {number}" for number in range(2_000))])
    assert [name for name, _ in parties.find("Harbor Lantern W")] == [OWN]
    assert [name for name, _ in parties.find("HLW")][:1] == [OWN]


@given(st.text(max_size=20), st.text(max_size=20))
def test_likeness_is_a_share_and_full_for_the_same_words(one: str, other: str) -> None:
    assert 0 <= likeness(one, other) <= 1
    assert likeness(one, one) in (0, 1)


def test_a_slip_is_one_character_or_two_neighbours() -> None:
    assert is_one_slip("00012", "00021")
    assert is_one_slip("00012", "00017")
    assert is_one_slip("0012", "00012")
    assert not is_one_slip("00012", "00012")
    assert not is_one_slip("00012", "00231")
    assert is_swap("00012", "00021")
    assert not is_swap("00012", "00017")
