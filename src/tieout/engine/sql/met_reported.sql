-- step:  met_reported
-- in:    block_reported, settled_pair, every_candidate
-- out:   block_reported(entry_no, …)
-- grain: one row per (entry_no)
-- why:   a row of theirs in a settled pair that has no candidate but its partner can be opened by nothing, so it is not
--        looked at again
with
alone as (select theirs_row from every_candidate group by theirs_row having count(*) = 1)
from block_reported
anti join (select theirs_row as entry_no from settled_pair semi join alone using (theirs_row)) p using (entry_no)
