-- step:  lone_expected
-- in:    ungrouped_expected, scored_match, application_row, copied_expected, told_row, day_total, run
-- out:   lone_expected(entry_no, reason_code)
-- grain: one row per (entry_no)
-- empty: when ungrouped_expected
-- types: bigint, varchar
-- why:   rows of ours that no pass matched, and what they are: a duplicate when it is a copy; timing when the row lies within
--        the window of the end of what the other side covers; else missing
with
lone as (
  select u.entry_no, u.day
  from ungrouped_expected u
  anti join scored_match m on m.ours_row = u.entry_no
  anti join application_row a on a.ours_row = u.entry_no
),
duplicate as (
  select entry_no from copied_expected
  union all
  select entry_no from told_row where side = 'ours' and reason_code = 'duplicate'
),
edge as (select max(day) as last_day from day_total where side = 'theirs')
select
  entry_no,
  case
    when entry_no in (select entry_no from duplicate) then 'duplicate'
    when window_days > 0 and date_diff('day', day, last_day) between -window_days and window_days - 1 then 'timing_lag'
    else 'missing'
  end as reason_code
from lone
cross join edge
cross join run
