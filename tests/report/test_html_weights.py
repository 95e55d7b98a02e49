"""The waterfall of weights beside a match to review."""

from __future__ import annotations

import pytest

from tieout.report.html import WeightBar, _waterfall


def pair(**bits: float | None) -> dict[str, float | None]:
    return {f"weight_{name}": bits.get(name) for name in ("pair", "amount", "time", "text", "unit")}


def test_each_bar_begins_where_the_one_before_it_ends() -> None:
    assert _waterfall(pair(pair=-4.0, amount=8.0, time=-1.0)) == [
        WeightBar("pair", -4.0, 0.0, 50.0),
        WeightBar("amount", 8.0, 0.0, 100.0),
        WeightBar("time", -1.0, 87.5, 12.5),
    ]


def test_evidence_that_is_not_there_has_no_bar() -> None:
    assert [bar.name for bar in _waterfall(pair(pair=-2.0, text=3.0, unit=0.0))] == ["pair", "text"]


def test_without_weights_there_is_no_waterfall() -> None:
    assert _waterfall(pair()) == []


def test_bars_stay_within_the_picture() -> None:
    bars = _waterfall(pair(pair=-14.2, amount=13.1, time=2.2, text=-3.9, unit=1.1))
    assert all(bar.start >= -1e-9 and bar.start + bar.width <= 100 + 1e-9 for bar in bars)
    assert sum(bar.bits for bar in bars) == pytest.approx(-1.7)
