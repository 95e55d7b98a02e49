from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from bench.random_files import KINDS, Case, _differing, _unaccounted, _untrue, main, run_case
from bench.written import Written


@pytest.mark.parametrize("kind", KINDS)
def test_a_case_of_each_kind_breaks_nothing(kind, tmp_path):
    ended = run_case(Case(kind, 7, 0, 120), tmp_path)
    assert ended.how in {"ties_out", "differences", "plan_undecided"}, ended.told


def test_equally_good_sums_and_copies_do_not_depend_on_the_order_of_rows(tmp_path):
    """In this world the number of a row once decided which of two payments is the sum of three bookings."""
    ended = run_case(Case("scored", 31, 5, 1500), tmp_path)
    assert ended.how == "differences", ended.told


def test_a_case_is_drawn_again_by_its_number(tmp_path):
    first, again, other = (
        run_case(Case("keyed", 7, number, 50), tmp_path / turn)
        for number, turn in ((3, "first"), (3, "again"), (4, "other"))
    )
    assert (first.how, first.told) == (again.how, again.told)
    assert first.told != other.told


def test_an_error_of_the_engine_itself_is_a_break(monkeypatch, tmp_path):
    import tieout
    from tieout.engine.steps import StepFailed

    def fail(*_given, **_options):
        raise StepFailed("Step match stopped.", subject="match")

    monkeypatch.setattr(tieout, "compare", fail)
    assert run_case(Case("keyed", 7, 0, 50), tmp_path).how == "broken"


@pytest.mark.parametrize(("matched", "unmatched"), [([1, 2], []), ([1, 2], [3, 2]), ([1, 1], [2])])
def test_a_row_that_is_told_of_twice_or_never_is_noticed(matched, unmatched):
    rows = pa.array(unmatched, pa.int64())
    compared = SimpleNamespace(
        matches=pa.table({"ours_row": matched, "theirs_row": [1, 2]}),
        unmatched_ours=pa.table({"ours_row": rows}),
        unmatched_theirs=pa.table({"theirs_row": pa.array([], pa.int64())}),
        quarantine=pa.table({"side": pa.array([], pa.string()), "row_no": rows[:0], "line": rows[:0]}),
        summary={"ours": {"rows": 3}, "theirs": {"rows": 2}},
    )
    assert [told.split(" ")[0] for told in _unaccounted(compared)] == ["ours"]


def test_what_another_order_changed_is_named():
    def told(kind, confidence):
        match = {"pass": ["scored"], "outcome": ["auto"], "confidence": [confidence], "alternatives": [0]}
        texts = {name: ["x"] for name in ("currency", "reason_code", "day", "ours_amount", "theirs_amount")}
        summary = dict.fromkeys(("result", "matched", "currencies", "deltas", "differences"), kind)
        delta = {"kind": [kind], "amount": [1], "confidence": [1.0], **texts}
        return SimpleNamespace(summary=summary, matches=pa.table(match), deltas=pa.table(delta))

    assert _differing(told("missing", 0.9), told("missing", 0.9)) == []
    [match] = _differing(told("missing", 0.9), told("missing", 0.8))
    assert match.startswith("matches such as [('scored', 'auto', 0.9, 0)]")
    assert len(_differing(told("missing", 0.9), told("duplicate", 0.9))) == 6


def test_one_case_alone_is_told_in_full(capsys):
    assert main(["--kinds", "settled", "--case", "0", "--rows", "20", "--seed", "7"]) == 0
    assert "| settled | 1 | 0 |" in capsys.readouterr().out


def test_what_was_planted_has_to_come_out():
    def compared(pairs, gap):
        ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        matches = pa.table({"ours_row": ours, "theirs_row": theirs, "outcome": ["auto"] * len(pairs)})
        deltas = pa.table({"ours_row": [1], "theirs_row": [2], "amount": [Decimal(gap)]})
        return SimpleNamespace(matches=matches, deltas=deltas, quarantine=pa.table({"reason_code": ["footer"]}))

    truth = Written(Path("a"), Path("b"), frozenset({(1, 2), (2, 1)}), (Decimal("0.50"),), "two payments")
    assert _untrue(compared([(1, 2), (2, 1)], "-0.50"), truth) == []
    assert "1 pairs of 2 missing, 0 wrong" in _untrue(compared([(1, 2)], "-0.50"), truth)[0]
    assert "the gaps are" in _untrue(compared([(1, 2), (2, 1)], "0.75"), truth)[0]
