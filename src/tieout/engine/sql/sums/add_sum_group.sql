-- step:  add_sum_group
-- in:    entry_group, sum_row
-- out:   entry_group(group_no, side, entry_no)
-- grain: one row per (side, entry_no)
-- why:   a whole and its parts are a group, which ties out when its two sums do
from entry_group
union all
select distinct match_id, 'ours', ours_row
from sum_row
union all
select distinct match_id, 'theirs', theirs_row
from sum_row
