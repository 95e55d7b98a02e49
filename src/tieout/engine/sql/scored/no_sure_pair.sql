-- step:  no_sure_pair
-- in:    block_expected, block_reported
-- out:   sure_pair(ours_row, theirs_row)
-- grain: one row per (ours_row)
-- why:   before the first look at candidates no pair is sure
select o.entry_no as ours_row, t.entry_no as theirs_row
from block_expected o
join block_reported t using (entry_no)
limit 0
