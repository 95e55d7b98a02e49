-- step:  reopened_row
-- in:    block_expected, block_reported, settled_row, settled_pair, run
-- out:   reopened_row(side, entry_no)
-- grain: one row per (side, entry_no)
-- why:   the rows that could change what is settled, before the first round: new ones, those that another pass let go, and
--        those of pairs that were never certain or are no longer. What was open before and still is has lost against
--        the settled pairs already
select 'ours' as side, b.entry_no
from block_expected b
cross join run
anti join settled_pair p on p.ours_row = b.entry_no
anti join (from settled_row where outcome = 'open') s on s.ours_row = b.entry_no + ours_offset
union all
select 'theirs', b.entry_no
from block_reported b
cross join run
anti join settled_pair p on p.theirs_row = b.entry_no
anti join (from settled_row where outcome = 'open') s on s.theirs_row = b.entry_no + theirs_offset
