-- step:  daily
-- in:    day_total, lone_expected, lone_reported, open_expected, open_reported, delta
-- out:   daily(day, currency, expected_micros, reported_micros, delta_micros, ours_rows, theirs_rows, matched_ours_rows, matched_theirs_rows)
-- grain: one row per (day, currency)
-- form:  fact
-- why:   the same figures day by day, each side on its own day and a delta on ours, for coverage and trend
select
  day, currency,
  cast(coalesce(sum(expected), 0) as decimal(38, 0)) as expected_micros,
  cast(coalesce(sum(reported), 0) as decimal(38, 0)) as reported_micros,
  cast(coalesce(sum(delta), 0) as decimal(38, 0)) as delta_micros,
  cast(sum(ours) as bigint) as ours_rows,
  cast(sum(theirs) as bigint) as theirs_rows,
  cast(sum(ours) - sum(lone_ours) as bigint) as matched_ours_rows,
  cast(sum(theirs) - sum(lone_theirs) as bigint) as matched_theirs_rows
from (
  select
    day, currency, if(side = 'ours', micros, null) as expected, if(side = 'theirs', micros, null) as reported,
    null as delta, if(side = 'ours', rows, 0) as ours, if(side = 'theirs', rows, 0) as theirs, 0 as lone_ours,
    0 as lone_theirs
  from day_total
  union all
  select day, currency, null, null, sum(amount_micros), 0, 0, 0, 0 from delta group by all
  union all
  select e.day, coalesce(e.currency, ''), null, null, null, 0, 0, count(*), 0
  from lone_expected
  join open_expected e using (entry_no)
  group by all
  union all
  select e.day, coalesce(e.currency, ''), null, null, null, 0, 0, 0, count(*)
  from lone_reported
  join open_reported e using (entry_no)
  group by all
)
group by day, currency
order by day nulls last, currency
