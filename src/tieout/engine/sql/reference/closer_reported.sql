-- step:  closer_reported
-- in:    reported, closer_pair
-- out:   closer_reported(entry_no, ref, group_ref, day, occurred_us, currency, amount_micros, quantity_micros, fee_micros, fx_rate_nanos, text, unit_1, unit_2, unit_3, unit_4, unit_5, unit_6, compared, source, is_open)
-- grain: one row per (entry_no)
-- split: theirs_row of closer_pair
-- why:   rows that need a closer look (no partner by reference, or one that differs) are read once and kept in full; the
--        rows that agree, most of them as a rule, are never read again
select e.*, p.is_open
from reported e
join (
  select theirs_row, ours_row is null as is_open
  from closer_pair
  where theirs_row between $first and $last
) p on p.theirs_row = e.entry_no
