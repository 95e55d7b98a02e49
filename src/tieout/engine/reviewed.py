"""A reviewer's decisions in a run: accepted pairs are matched and take part in nothing else, rejected ones never meet.

The decisions that a run was given are a file among its inputs, one line of JSON each, in order of the pair: the same
decisions are the same bytes, whoever made them and when. A run without decisions runs none of these steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from tieout.engine.steps import Runner
from tieout.store.digest import digest_text
from tieout.store.review import PairKey, RowKey, Ruling

FACT = "review_decision"
"""The fact that only a run with decisions has."""
FOUND_STEPS = ("decided_pair", FACT)
APART_STEPS = (
    "decided_expected",
    "decided_reported",
    "undecided_expected",
    "undecided_reported",
    "scoring_is_possible",
)
UNREJECTED_STEPS = {
    "match_equal": "unrejected_equal",
    "block_candidate": "unrejected_candidate",
    "part_candidate": "unrejected_part",
    "add_day_sum": "unrejected_day_sum",
    "second_candidate": "unrejected_second",
}
"""After a step that finds candidates: the step that leaves out of them what a reviewer rejected."""
ADD_STEP, LABEL_STEP = "add_accepted", "label_level"

_FIELDS = ("ours_content", "ours_copy", "theirs_content", "theirs_copy", "ruling")
_KINDS = (pa.string(), pa.int32(), pa.string(), pa.int32(), pa.string())


@dataclass(frozen=True)
class Decisions:
    """The decisions that a run is given, by pair."""

    rulings: Mapping[PairKey, Ruling]

    @property
    def text(self) -> str:
        """Return them as lines of JSON, in order of the pair."""
        return "".join(orjson.dumps(dict(zip(_FIELDS, row, strict=True))).decode() + "\n" for row in self.rows())

    @property
    def digest(self) -> str:
        return digest_text(self.text)

    def rows(self) -> list[tuple[str, int, str, int, str]]:
        """Return them as rows of the relation `given_decision`, in order of the pair."""
        return [
            (pair.ours.content, pair.ours.copy_no, pair.theirs.content, pair.theirs.copy_no, self.rulings[pair])
            for pair in sorted(self.rulings)
        ]


def read_decisions(path: Path) -> Decisions:
    """Read the decisions of a run from the file among its inputs."""
    lines = map(orjson.loads, path.read_bytes().splitlines())
    return Decisions(
        {
            PairKey(RowKey(one["ours_content"], one["ours_copy"]), RowKey(one["theirs_content"], one["theirs_copy"])): (
                one["ruling"]
            )
            for one in lines
        }
    )


@dataclass(frozen=True)
class Decided:
    """The decisions of a run whose rows are in its files: how many, and the digest of all that were given."""

    accepted: int
    rejected: int
    left_aside: int
    digest: str

    @property
    def teaches(self) -> bool:
        """Tell whether there is something to learn from."""
        return self.accepted + self.rejected > 0


def find_decided(runner: Runner, decisions: Decisions) -> Decided:
    """Find the rows of these files that were decided about; views `expected` and `reported` are there."""
    columns = zip(*decisions.rows(), strict=True)
    given = pa.table([pa.array(values, kind) for values, kind in zip(columns, _KINDS, strict=True)], names=_FIELDS)
    runner.con.register("given_rows", given)
    runner.con.execute("create or replace table given_decision as from given_rows")
    runner.con.unregister("given_rows")
    runner.run_all(FOUND_STEPS)
    counts = dict(runner.con.execute("select ruling, count(*) from decided_pair group by all").fetchall())
    accepted, rejected = counts.get("accepted", 0), counts.get("rejected", 0)
    return Decided(accepted, rejected, len(decisions.rulings) - accepted - rejected, decisions.digest)


def set_accepted_apart(con: duckdb.DuckDBPyConnection) -> None:
    """Make the views of entries over `…_as_read`, such that no reference pairs a row that has its partner already."""
    for view, row in (("expected", "ours_row"), ("reported", "theirs_row")):
        con.execute(
            f"create or replace view {view} as select * exclude (is_accepted) replace ("
            " case when not is_accepted then ref end as ref, case when not is_accepted then group_ref end as group_ref"
            f") from (select *, entry_no in (select {row} from decided_pair where ruling = 'accepted') as is_accepted"
            f" from {view}_as_read)"
        )


def told_decisions(con: duckdb.DuckDBPyConnection, decided: Decided, *, is_relearned: bool) -> dict[str, Any]:
    """Return what the summary tells of the decisions; the matches are there."""
    return {
        "accepted": decided.accepted,
        "rejected": decided.rejected,
        "left_aside": decided.left_aside,
        "not_followed": _not_followed(con) if decided.rejected else 0,
        "relearned": is_relearned,
    }


def _not_followed(con: duckdb.DuckDBPyConnection) -> int:
    """Return how many rejected pairs the run matched all the same: those that the settlement ties together."""
    found = con.execute(
        "select count(*) from match cross join run"
        " semi join (from decided_pair where ruling = 'rejected') p"
        " on p.ours_row + ours_offset = match.ours_row and p.theirs_row + theirs_offset = match.theirs_row"
    )
    return int(found.fetchall()[0][0])


def with_candidates(steps: Iterable[str]) -> list[str]:
    """Return the steps that find candidates, rejected pairs left out of what they find."""
    return [name for step in steps for name in (step, UNREJECTED_STEPS.get(step)) if name]
