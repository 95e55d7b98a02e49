-- step:  every_row_ends_once
-- in:    window_expected, line, unit
-- out:   every_row_ends_once(currency, expected_rows, expected_micros, reported_rows, reported_micros)
-- form:  check
-- why:   no request and no line is lost or counted twice, and no money with it
with
given as (
  select 'USD' as currency, count(*) as expected_rows, coalesce(sum(micros), 0) as expected_micros, 0 as reported_rows,
    0::hugeint as reported_micros
  from window_expected
  union all
  select currency, 0, 0, count(*), sum(micros) from line group by currency
),
ended as (
  select
    currency, sum(expected_rows) as expected_rows, sum(expected_micros) as expected_micros,
    sum(reported_rows) as reported_rows, sum(reported_micros) as reported_micros
  from unit
  group by currency
),
total as (
  select
    currency, sum(expected_rows) as expected_rows, sum(expected_micros) as expected_micros,
    sum(reported_rows) as reported_rows, sum(reported_micros) as reported_micros
  from given
  group by currency
)
select currency, t.expected_rows, t.expected_micros, t.reported_rows, t.reported_micros
from total t
left join ended e using (currency)
where
  (t.expected_rows, t.expected_micros, t.reported_rows, t.reported_micros)
  <> (
    coalesce(e.expected_rows, 0), coalesce(e.expected_micros, 0), coalesce(e.reported_rows, 0),
    coalesce(e.reported_micros, 0)
  )
