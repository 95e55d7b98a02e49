-- step:  met_expected
-- in:    block_expected, settled_pair, every_candidate
-- out:   block_expected(entry_no, …)
-- grain: one row per (entry_no)
-- why:   a row of ours in a settled pair that has no candidate but its partner can be opened by nothing, so it is not
--        looked at again
with
alone as (select ours_row from every_candidate group by ours_row having count(*) = 1)
from block_expected
anti join (select ours_row as entry_no from settled_pair semi join alone using (ours_row)) p using (entry_no)
