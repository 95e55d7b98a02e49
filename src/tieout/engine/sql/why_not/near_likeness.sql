-- step:  near_likeness
-- in:    near_change, contested_change
-- out:   near_likeness(side, entry_no, kind, from_value, to_value, size, partner_no, rival_no, is_certain, gap_micros, lag_days)
-- grain: one row per (side, entry_no, kind, partner_no)
-- why:   the changes that would match a row by likeness
select
  side, entry_no, kind, from_value, to_value, size, partner_no, null::bigint as rival_no,
  not is_contested as is_certain, gap_micros, lag_days
from near_change
join contested_change using (change_no)
