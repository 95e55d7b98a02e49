"""References as they are quoted: with other words, without zeros, with a slip, or of another document."""

from __future__ import annotations

import pytest

from tieout.engine.settlement.quoted import Closeness, Register, closeness, is_vague, quoted_in


@pytest.mark.parametrize(
    ("quoted", "own", "found"),
    [
        ("INV-00013", "INV-00013", "exact"),
        ("inv 00013", "INV-00013", "exact"),
        ("Invoice #13", "INV-00013", "rewritten"),
        ("INV-13", "INV-00013", "rewritten"),
        ("13", "INV-00013", "rewritten"),
        ("Rechnung Nr. 13", "INV-00013", "rewritten"),
        ("INV-00031", "INV-00013", "swapped"),
        ("INV-00018", "INV-00013", "slipped"),
        ("INV-2025-013", "INV-2025-0013", "rewritten"),
        ("PO-00013", "INV-00013", "other"),
        ("INV-00231", "INV-00013", "other"),
        ("", "INV-00013", "other"),
        ("HARBRO", "HARBOR", "slipped"),
    ],
)
def test_a_quoted_reference_is_told_from_our_own(quoted: str, own: str, found: Closeness) -> None:
    assert closeness(quoted, own) == found


def test_quotes_in_a_text_are_words_with_numbers_and_long_numbers() -> None:
    assert quoted_in("Payment INV-00012, INV-13 and Invoice #14") == ["INV-00012", "INV-13", "Invoice #14"]
    assert quoted_in("CHQ 1005, key Q85JSG65KX, 004, 0012345") == ["CHQ 1005", "0012345"]
    assert is_vague("ref no. 12")
    assert not is_vague("Invoice 12")


def test_a_register_finds_what_is_quoted_and_what_may_be_meant() -> None:
    register = Register([(1, "BL-000113"), (2, "BL-000131"), (3, "BL-000999"), (4, "")])
    assert register.find("bl 113") == {1: "rewritten"}
    assert register.find("BL-000131") == {2: "exact"}
    assert register.find("BL-000114") == {}
    assert register.find_near("BL-000114") == {1: "slipped"}
    assert register.find_near("BL-000113") == {2: "swapped"}
    assert register.find_near("BL-400999") == {3: "slipped"}
    assert register.find_near("PO-000114") == {}
    assert register.find("") == register.find_near("") == {}
