-- step:  no_group
-- in:    reference_join
-- out:   entry_group(group_no, side, entry_no)
-- grain: one row per (side, entry_no)
-- why:   stands for match_by_group where the plan groups nothing and no reference that both sides have is open: all that stood once
--        on either side met
select ours_row as group_no, '' as side, ours_row as entry_no
from reference_join
limit 0
