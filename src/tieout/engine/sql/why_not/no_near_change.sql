-- step:  no_near_change
-- in:    lone_row
-- out:   change_of_row(side, entry_no, kind, from_value, to_value, size, partner_no, rival_no, is_certain, gap_micros, lag_days)
-- form:  view
-- why:   stands for the changes where there is nothing that any step could look at
select
  side, entry_no, '' as kind, '' as from_value, '' as to_value, 0::hugeint as size, entry_no as partner_no,
  null::bigint as rival_no, false as is_certain, 0::hugeint as gap_micros, 0::bigint as lag_days
from lone_row
limit 0
