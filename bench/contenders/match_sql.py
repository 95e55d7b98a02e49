"""Ten lines of SQL: candidates by amount or the memo's beginning, a score, and the pairs that are each other's best."""

import time

import duckdb

from bench.brief import PEOPLE, REGISTER, answer_of, count_of, open_sides, read_brief
from bench.measure import report

PAYMENTS_SQL = """
create temp table candidate as
with pair as (
    select o.row as ours_row, t.row as theirs_row, o, t from ours o join theirs t on o.amount = t.amount
    where t.day - o.day between 0 and {days}
    union
    select o.row, t.row, o, t from ours o join theirs t on upper(o.memo[:6]) = upper(t.memo[:6])
    where t.day - o.day between 0 and {days} and abs(t.amount - o.amount) <= abs(o.amount) * {drift}
)
select ours_row, theirs_row,
    0.5 * jaro_winkler_similarity(upper(coalesce(o.memo, '')), upper(coalesce(t.memo, '')))
        + 0.4 * (1 - abs(t.amount - o.amount)::double / greatest(abs(o.amount) * {drift}, 0.01))
        + 0.1 * (1 - (t.day - o.day)::double / {days}) as score
from pair
"""
PEOPLE_SQL = """
create temp table candidate as
select o.row as ours_row, t.row as theirs_row,
    0.2 * jaro_winkler_similarity(coalesce(o.first_name, ''), coalesce(t.first_name, ''))
        + 0.2 * jaro_winkler_similarity(coalesce(o.surname, ''), coalesce(t.surname, ''))
        + 0.3 * jaro_winkler_similarity(o.born::varchar, t.born::varchar)
        + 0.3 * jaro_winkler_similarity(coalesce(o.email, ''), coalesce(t.email, '')) as score
from ours o join theirs t
    on o.email = t.email or o.born = t.born or o.surname = t.surname or o.first_name = t.first_name
"""
REGISTER_SQL = """
create temp table candidate as
select o.row as ours_row, t.row as theirs_row,
    0.2 * greatest(
        jaro_winkler_similarity(concat(o.given_name, ' ', o.surname), concat(t.given_name, ' ', t.surname)),
        jaro_winkler_similarity(concat(o.given_name, ' ', o.surname), concat(t.surname, ' ', t.given_name))
    )
        + 0.2 * jaro_winkler_similarity(concat(o.address_1, o.address_2), concat(t.address_1, t.address_2))
        + 0.3 * jaro_winkler_similarity(coalesce(o.birth, ''), coalesce(t.birth, ''))
        + 0.3 * jaro_winkler_similarity(coalesce(o.number, ''), coalesce(t.number, '')) as score
from ours o join theirs t
    on o.number = t.number or o.birth = t.birth or (o.surname = t.surname and o.postcode = t.postcode)
        or (o.given_name = t.given_name and o.suburb = t.suburb) or o.address_1 = t.address_1
"""
QUERIES = {PEOPLE: PEOPLE_SQL, REGISTER: REGISTER_SQL}
BEST = "row_number() over (partition by {side}_row order by score desc, ours_row, theirs_row) = 1"


def main() -> None:
    brief, out = read_brief()
    started = time.perf_counter()
    query = QUERIES.get(brief.kind, PAYMENTS_SQL)
    mutual = BEST.format(side="theirs")
    if brief.kind != PEOPLE:  # in halves of people several of theirs are right
        mutual += f" and {BEST.format(side='ours')}"
    with duckdb.connect() as connection:
        open_sides(connection, brief)
        connection.execute(query.format(drift=brief.drift, days=max(brief.most_lag_days, 1)))
        connection.execute(f"""
            copy (select ours_row, theirs_row, 'auto' as outcome, score from candidate qualify {mutual})
            to '{answer_of(out)}'
        """)
        report(time.perf_counter() - started, pairs_scored=count_of(connection, "candidate"))


if __name__ == "__main__":
    main()
