"""Rows for every table of the state, made from the types of its columns: a new table is filled without being named."""

import re
from datetime import UTC, datetime, timedelta

from sqlalchemy import JSON, BigInteger, Boolean, CheckConstraint, Date, Integer, String, Text, insert

from tieout.store.tables import Instant, metadata

# In an order that bytes and languages see differently, with what quoting and encodings trip over.
WORDS = ("Zoë", "apple", "Apple", "ápple", "zebra", 'o\'neil "x" \\', "größe\n\t", "日本", "😀", "%s :x")
DOCUMENTS = (
    {},
    [],
    None,
    "null",
    {"ü": ["\u0000", 1.5, 2**53 + 1, None]},
    {"b": 1, "a": {"deep": [True, False]}},
    0.1234567890123456,
    7.0,
)
FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)


def choices(table, column):
    for constraint in table.constraints:
        if isinstance(constraint, CheckConstraint):
            found = re.match(r"(\w+) in \((.*)\)", str(constraint.sqltext))
            if found and found[1] == column.name:
                return re.findall(r"'([^']+)'", found[2])
    return None


def value(table, column, number):
    if number % 2 and column.nullable:
        return None
    if isinstance(column.type, Instant):
        return FIRST + timedelta(microseconds=number)
    if isinstance(column.type, JSON):
        return DOCUMENTS[number % len(DOCUMENTS)]
    if isinstance(column.type, Date):
        return (FIRST + timedelta(days=number)).date()
    if isinstance(column.type, Boolean):
        return number % 3 == 0
    if isinstance(column.type, Integer):
        return (2**40 if isinstance(column.type, BigInteger) else 0) + number + 1
    if isinstance(column.type, String | Text):
        if allowed := choices(table, column):
            return allowed[number % len(allowed)]
        word, length = f"{WORDS[number % len(WORDS)]} {number}", column.type.length
        return word if length is None or len(word) <= length else f"{number:0{length}x}"[-length:]
    raise AssertionError(f"{table.name}.{column.name} is {column.type!r}: say here what a value of it looks like")


def rows_for_all_tables(count=11):
    """Return `count` rows of each table, parents first; each refers to its parent of the same number."""
    made = {}
    for table in metadata.sorted_tables:
        rows = [{c.name: value(table, c, number) for c in table.c} for number in range(count)]
        for constraint in table.foreign_key_constraints:
            for row, parent in zip(rows, made[constraint.referred_table], strict=True):
                row |= {element.parent.name: parent[element.column.name] for element in constraint.elements}
        made[table] = rows
    return made


def fill(connection, count=11):
    for table, rows in rows_for_all_tables(count).items():
        for row in rows:  # one by one: rows that leave a column out are other statements
            connection.execute(insert(table).values(row))
