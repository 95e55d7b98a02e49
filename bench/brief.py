"""What a contender is told of a data set, and how it answers.

The peers are told which column is what, within how many days a partner lies and how far its amount may be off; the
truth they are not told. An answer is `pairs.parquet`: ours_row, theirs_row, outcome (auto or review) and score, rows
numbered from 1 in file order.
"""

import dataclasses
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

PAYMENTS = "payments"
PEOPLE = "people"
REGISTER = "register"
REMITTANCE = "remittance"
ROLES = {
    PAYMENTS: ("day", "amount", "memo"),
    REMITTANCE: ("day", "amount", "memo"),
    PEOPLE: ("first_name", "surname", "born", "city", "email"),
    REGISTER: (
        "given_name",
        "surname",
        "street_number",
        "address_1",
        "address_2",
        "suburb",
        "postcode",
        "state",
        "birth",
        "number",
    ),
}
TYPES = {"day": "date", "born": "date", "amount": "decimal(18, 2)"}


@dataclass(frozen=True)
class Brief:
    """A data set without its truth. Columns are by role, in the order of `ROLES`; `extra` are files beside the two."""

    kind: str
    ours: str
    theirs: str
    ours_columns: tuple[str, ...]
    theirs_columns: tuple[str, ...]
    most_lag_days: int = 0
    drift: float = 0.0
    extra: dict[str, str] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")

    @property
    def sides(self) -> dict[str, tuple[str, dict[str, str]]]:
        """The file of each side, and its columns by role."""
        roles = ROLES[self.kind]
        return {
            "ours": (self.ours, dict(zip(roles, self.ours_columns, strict=True))),
            "theirs": (self.theirs, dict(zip(roles, self.theirs_columns, strict=True))),
        }


def read_brief() -> tuple[Brief, Path]:
    """Return the brief and the folder for the answer, as the bench passes them to a contender."""
    given, out = sys.argv[1:3]
    return Brief(**json.loads(Path(given).read_text())), Path(out)


def answer_of(out: Path) -> Path:
    return out / "pairs.parquet"


def open_sides(connection, brief: Brief) -> None:
    """Make tables `ours` and `theirs` in DuckDB: row and the roles, typed."""
    for side, (path, columns) in brief.sides.items():
        connection.execute(f"create temp table {side}_read as from '{path}'")
        roles = ", ".join(f"{name}::{TYPES.get(role, 'varchar')} as {role}" for role, name in columns.items())
        connection.execute(f"create temp table {side} as select rowid + 1 as row, {roles} from {side}_read")
        connection.execute(f"drop table {side}_read")


def count_of(connection, relation: str) -> int:
    return connection.sql(f"select count(*) from {relation}").fetchall()[0][0]
