"""The scored pass of a run that comes after another: what that run settled stays, unless today's rows could change it.

Settled is what the run of all rows would call sure at its first look, at equal amounts; those rows have no part in what
follows. Statistics and candidates of the first look are of all rows, for how crowded a block is decides what they are.
The passes by reference and by group, the sums and the facts are those of all rows, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tieout.engine.steps import Runner

LEAST_CONFIDENCE = 0.999
"""From here on a pair of an equal amount is settled, as it is sure in the step sure_pair."""
LEAST_WEIGHT = math.log2(LEAST_CONFIDENCE / (1 - LEAST_CONFIDENCE))

_OURS, _THEIRS = b"ours_rows", b"theirs_rows"

POPULATION_STEPS = (
    "unequal_expected",
    "unequal_reported",
    "currency_size",
    "word_rarity",
    "sample_expected",
    "sample_reported",
    "block_sampled_near",
    "block_candidate",
    "every_candidate",
    "no_sample_expected",
    "no_sample_reported",
)
KEPT_STEPS = (
    "settled_pair",
    "likely_settled",
    "reopened_row",
    "lone_candidate",
    "contested_expected",
    "contested_reported",
    "evidence_expected",
    "evidence_reported",
)
ROUND_STEPS = ("compared_candidate", "weighed_candidate", "touched_pair")
AGAIN_STEPS = ("still_settled", "touched_row")
LEFT_STEPS = ("left_expected", "left_reported", "block_candidate", "compared_candidate")
ADD_SETTLED_STEPS = ("add_settled_choice", "add_settled_candidate")


@dataclass(frozen=True)
class SettledPairs:
    """What a run left for those that come after it: a file of its scored pairs and open rows, and its rows a side."""

    path: Path
    ours_rows: int
    theirs_rows: int


def write_settled(match: Path, candidate: Path, unmatched: tuple[Path, Path], rows: tuple[int, int], out: Path) -> int:
    """Write the scored pairs of a run, with what their evidence weighed, and its open rows; return how many pairs.

    The paths are those of its facts. The same facts give the same bytes.
    """
    con = duckdb.connect()
    try:
        found = con.sql(_SETTLED, params=[str(path) for path in (match, candidate, *unmatched)]).to_arrow_table()
    finally:
        con.close()
    told = {_OURS: str(rows[0]), _THEIRS: str(rows[1])}
    pq.write_table(found.replace_schema_metadata(told), out)
    return int(len(found) - found.column("theirs_row").null_count - found.column("ours_row").null_count)


_SETTLED = """
    select
      m.ours_row, m.theirs_row, m.outcome, m.confidence, m.alternatives, c.score, c.score_time, c.score_amount,
      c.score_unit, c.score_text, c.weight_pair, c.weight_time, c.weight_amount, c.weight_unit, c.weight_text
    from read_parquet($1) m
    left join read_parquet($2) c on c.ours_row = m.ours_row and c.theirs_row = m.theirs_row
    where m.pass = 'scored'
    union all by name
    select ours_row, 'open' as outcome from read_parquet($3)
    union all by name
    select theirs_row, 'open' as outcome from read_parquet($4)
    order by ours_row, theirs_row
"""


def settled_pairs(path: Path) -> SettledPairs:
    """Return what `write_settled` wrote."""
    told = pq.read_schema(path).metadata
    return SettledPairs(path, int(told[_OURS]), int(told[_THEIRS]))


def keep_settled(runner: Runner, settled: SettledPairs) -> None:
    """Find which settled pairs stand, and compare the candidates of all other rows.

    A pair is opened again where a row that is new, or opened again itself, could be the partner of one of its rows:
    a candidate and, weighed among all rows, likelier than chance.
    """
    runner.run_all(POPULATION_STEPS)
    runner.run_computed("settled_row", lambda _con, _query: pq.read_table(settled.path))
    runner.run_computed("former_run", lambda _con, _query: _former(settled))
    runner.run_all(KEPT_STEPS)
    while runner.run("touching_candidate").rows and runner.run_all(ROUND_STEPS).rows:
        runner.run_all(AGAIN_STEPS)
    runner.run_all(LEFT_STEPS)


def _former(settled: SettledPairs) -> pa.Table:
    rows = {"ours_rows": [settled.ours_rows], "theirs_rows": [settled.theirs_rows]}
    return pa.table({**rows, "least_confidence": [LEAST_CONFIDENCE], "least_weight": [LEAST_WEIGHT]})
