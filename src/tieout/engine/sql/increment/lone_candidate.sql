-- step:  lone_candidate
-- in:    every_candidate, settled_pair
-- out:   lone_candidate(ours_row, theirs_row)
-- grain: one row per (ours_row)
-- why:   a settled pair whose rows have no candidates but each other can be opened by nothing, so it is not looked at again
with
ours as (select ours_row from every_candidate group by ours_row having count(*) = 1),
theirs as (select theirs_row from every_candidate group by theirs_row having count(*) = 1)
select ours_row, theirs_row
from settled_pair
semi join ours using (ours_row)
semi join theirs using (theirs_row)
