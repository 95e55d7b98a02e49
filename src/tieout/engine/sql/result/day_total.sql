-- step:  day_total
-- in:    expected, reported
-- out:   day_total(side, day, currency, micros, rows)
-- grain: one row per (side, day, currency)
-- why:   all rows of both sides are summed once; what the result needs of them is by day and currency at the finest
select
  'ours' as side, day, coalesce(currency, '') as currency, sum(amount_micros)::hugeint as micros, count(*) as rows
from expected
group by all
union all
select 'theirs', day, coalesce(currency, ''), sum(amount_micros)::hugeint, count(*)
from reported
group by all
