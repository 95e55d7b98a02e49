-- step:  lone_reported
-- in:    ungrouped_reported, scored_match, application_row, copied_reported, told_row, day_total, run
-- out:   lone_reported(entry_no, reason_code)
-- grain: one row per (entry_no)
-- empty: when ungrouped_reported
-- types: bigint, varchar
-- why:   rows of theirs that no pass matched, and what they are: a duplicate when it is a copy, or as a payment repeats one
--        that was applied; timing when the row lies within the window of the start of what our side covers; else
--        unexpected
with
lone as (
  select u.entry_no, u.day
  from ungrouped_reported u
  anti join scored_match m on m.theirs_row = u.entry_no
  anti join (select theirs_row from application_row where ours_row is not null) a on a.theirs_row = u.entry_no
),
duplicate as (
  select entry_no from copied_reported
  union all
  select entry_no from told_row where side = 'theirs' and reason_code = 'duplicate'
  union all
  select theirs_row from application_row where kind = 'duplicate'
),
edge as (select min(day) as first_day from day_total where side = 'ours')
select
  entry_no,
  case
    when entry_no in (select entry_no from duplicate) then 'duplicate'
    when window_days > 0 and date_diff('day', first_day, day) between -window_days and window_days - 1 then 'timing_lag'
    else 'unexpected'
  end as reason_code
from lone
cross join edge
cross join run
