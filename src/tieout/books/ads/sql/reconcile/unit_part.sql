-- step:  unit_part
-- in:    unit_split
-- out:   unit_part(unit_id, currency, part, micros, impressions)
-- grain: one row per (unit_id, currency, part)
-- why:   the parts of each difference, one a row. They are taken from a table, not from the joins that made it: DuckDB
--        2.0 stops with an internal error where such rows are doubled on their way
select unit_id, currency, part, micros, if(part = 'missing', missing_rows, 0) as impressions
from (
  select
    unit_id, currency, missing_rows,
    unnest(['timing', 'missing', 'rate', 'ivt', 'overpay', 'duplicate', 'unexpected', 'settled', 'review']) as part,
    unnest([timing, missing, rate, ivt, overpay, duplicate, unexpected, settled, review]) as micros
  from unit_split
)
where micros <> 0 or (part = 'missing' and missing_rows > 0)
