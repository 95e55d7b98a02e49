"""Write the next migration from what the tables of the code have and the migrations do not: for a person to read over.

python -m tools.draft_migration disputes "Disputes and what they claim."
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.operations import ops

from tieout.store.state import SCHEMA, connect_state
from tieout.store.tables import is_of_a_tenant

HEADER = '''# ruff: noqa: INP001 - Alembic loads it by path; as a module of a package it must not be importable
"""{title}"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tieout.store.guards import keep_tenants_apart

revision = "{revision}"
down_revision = "{head}"
branch_labels = None
depends_on = None

{apart}
def upgrade() -> None:
    """Bring the schema to this revision."""
{body}
{tail}'''


def draft(title: str, revision: str) -> str:
    """Return the text of a migration from the head of the migrations to the tables of the code."""
    with TemporaryDirectory() as folder:
        state = connect_state(f"sqlite:///{folder}/state.db")
        state.write(SCHEMA.upgrade)
        with state.reading() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            made = produce_migrations(context, SCHEMA.tables).upgrade_ops
        state.close()
    if made is None or made.is_empty():
        sys.exit("The migrations lead to the tables as they are; there is nothing to write.")
    new = [each.table_name for each in made.ops if isinstance(each, ops.CreateTableOp)]
    apart = [name for name in new if is_of_a_tenant(SCHEMA.tables.tables[name])]
    body = render_python_code(made)
    body = re.sub(r"tieout\.store\.tables\.columns\.Instant\(\)", "sa.BigInteger()", body)
    body = "\n".join(line for line in body.splitlines() if not line.strip().startswith("#"))
    names = f"APART = ({', '.join(map(repr, apart))},)\n\n" if apart else ""
    tail = "    for table in APART:\n        keep_tenants_apart(op.get_bind(), table)\n" if apart else ""
    return HEADER.format(title=title, revision=revision, head=SCHEMA.head, apart=names, body=body, tail=tail)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write `versions/NNNN_NAME.py` and say what is left to do."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="of the file, in snake case")
    parser.add_argument("title", help="one sentence: what the migration makes")
    chosen = parser.parse_args(arguments)
    revision = f"{int(SCHEMA.head) + 1:04d}"
    path = Path(SCHEMA.migrations) / "versions" / f"{revision}_{chosen.name}.py"
    path.write_text(draft(chosen.title, revision), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "ruff", "check", "--fix", "--quiet", path], check=False, capture_output=True)  # noqa: S603
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", path], check=True)  # noqa: S603
    print(f"{path}: read it over, then add {revision!r} to SCHEMA in src/tieout/store/state.py.")


if __name__ == "__main__":
    main()
