-- step:  touched_row
-- in:    touched_pair
-- out:   reopened_row(side, entry_no)
-- grain: one row per (side, entry_no)
-- why:   what a round opened again can open others in the next
select 'ours' as side, ours_row as entry_no
from touched_pair
union all
select 'theirs', theirs_row
from touched_pair
