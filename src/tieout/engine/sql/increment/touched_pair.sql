-- step:  touched_pair
-- in:    weighed_candidate, settled_pair
-- out:   touched_pair(ours_row, theirs_row)
-- grain: one row per (ours_row)
-- why:   a settled pair is opened again where another candidate of one of its rows speaks for a pair rather than against:
--        no other can be chosen, nor take more from the pair than the thousandth that it may lack
select p.ours_row, p.theirs_row
from settled_pair p
semi join (from weighed_candidate where weight > 0) c on c.ours_row = p.ours_row and c.theirs_row <> p.theirs_row
union
select p.ours_row, p.theirs_row
from settled_pair p
semi join (from weighed_candidate where weight > 0) c on c.theirs_row = p.theirs_row and c.ours_row <> p.ours_row
