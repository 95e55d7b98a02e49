-- step:  day_total_of_one_side
-- in:    expected, closer_expected, closer_reported
-- out:   day_total(side, day, currency, micros, rows)
-- grain: one row per (side, day, currency)
-- why:   stands for day_total where a pair that agrees agrees in day, currency and amount too: the sums of theirs are
--        then those of ours, without the rows of ours and with the rows of theirs that needed a closer look. All rows of
--        one side are read, not of both
with
ours as (
  select day, coalesce(currency, '') as currency, sum(amount_micros)::hugeint as micros, count(*) as rows
  from expected
  group by all
),
closer_look as (
  select day, coalesce(currency, '') as currency, -sum(amount_micros)::hugeint as micros, -count(*) as rows
  from closer_expected
  group by all
  union all
  select day, coalesce(currency, ''), sum(amount_micros)::hugeint, count(*)
  from closer_reported
  group by all
)
select 'ours' as side, * from ours
union all
select 'theirs', day, currency, sum(micros)::hugeint, sum(rows)::bigint
from (
  from ours
  union all
  from closer_look
)
group by day, currency
having sum(rows) > 0
