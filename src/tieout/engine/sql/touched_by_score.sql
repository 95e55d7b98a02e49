-- step:  touched_by_score
-- in:    scored_candidate, settled_pair, run
-- out:   touched_pair(ours_row, theirs_row)
-- grain: one row per (ours_row)
-- why:   a settled pair is opened again where another candidate of one of its rows comes as near to it as the margin
select distinct p.ours_row, p.theirs_row
from settled_pair p
join scored_candidate c on c.ours_row = p.ours_row and c.theirs_row <> p.theirs_row
cross join run
where c.score >= round(p.confidence - required_margin, 9)
union
select distinct p.ours_row, p.theirs_row
from settled_pair p
join scored_candidate c on c.theirs_row = p.theirs_row and c.ours_row <> p.ours_row
cross join run
where c.score >= round(p.confidence - required_margin, 9)
