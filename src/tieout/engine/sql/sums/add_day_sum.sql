-- step:  add_day_sum
-- in:    sum_row, loose_row, run
-- out:   sum_row(match_id, ours_row, theirs_row, applied_micros, currency, kind, verdict, alternatives, outcome, confidence, reason)
-- grain: one row per (ours_row, theirs_row)
-- why:   a till is banked as one deposit some days later, and nothing but the sum says so: all rows of a day that have no
--        sure partner are a sum of the one row that has their total within the window of sums, where no other day has it and no other
--        row. Believed where three days and three in ten have such a row, for then it is no accident, and of one side alone
with
free as (
  select side, entry_no, currency, day, amount_micros
  from loose_row
  anti join (
    select 'ours' as side, ours_row as entry_no from sum_row
    union
    select 'theirs', theirs_row from sum_row
  ) s using (side, entry_no)
  cross join run
  where coalesce(pair_chance < auto_threshold, true) and day is not null and not has_ref
),
total as (
  select side, currency, day, sum(amount_micros) as micros, count(*) as parts
  from free
  group by all
  having parts > 1
),
met as (
  select t.side, t.currency, t.day, t.parts, w.entry_no as whole_row
  from total t
  join free w on w.currency = t.currency and w.amount_micros = t.micros and w.side <> t.side
  cross join run
  where abs(date_diff('day', t.day, w.day)) <= window_days + window_days // 2
),
single as (
  from met
  qualify count(*) over (partition by side, currency, day) = 1 and count(*) over (partition by side, whole_row) = 1
),
counted as (
  select side, count(*) as days, (select count(*) from total t where t.side = s.side) as every_day
  from single s
  group by side
),
believed as (
  select side
  from counted c
  where days >= 3 and days >= 0.3 * every_day
    and days > coalesce((select max(o.days) from counted o where o.side <> c.side), 0)
),
part as (
  select s.side, s.parts, s.day, s.whole_row, f.entry_no as part_row, f.amount_micros, f.currency
  from (from single semi join believed using (side)) s
  join free f on f.side = s.side and f.currency = s.currency and f.day = s.day
)
from sum_row
union all
select
  if(side = 'ours', min(part_row) over (partition by whole_row), whole_row) as match_id,
  if(side = 'ours', part_row, whole_row) as ours_row, if(side = 'ours', whole_row, part_row) as theirs_row,
  amount_micros as applied_micros, currency, 'sum' as kind, 'unique' as verdict, 0 as alternatives,
  if(auto_threshold <= 0.99, 'auto', 'review') as outcome, 0.99::double as confidence,
  'all ' || parts || ' open rows of ' || side || ' of ' || day || ' sum to it, as on other days' as reason
from part
cross join run
