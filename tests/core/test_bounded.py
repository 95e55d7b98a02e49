from __future__ import annotations

from tieout.core.bounded import Bounded


def test_the_entry_that_was_put_first_makes_room():
    entries = Bounded(2)
    for name in ("a", "b", "a", "c"):
        entries.put(name, name.upper())
    assert (entries.get("a"), entries.get("b"), entries.get("c"), len(entries)) == ("A", None, "C", 2)


def test_what_is_dropped_is_gone():
    entries = Bounded(2)
    entries.put("a", 1)
    entries.drop("a")
    entries.drop("never there")
    assert entries.get("a") is None
    entries.put("b", 1)
    entries.clear()
    assert len(entries) == 0
