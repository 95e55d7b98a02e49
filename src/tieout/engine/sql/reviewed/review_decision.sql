-- step:  review_decision
-- in:    given_decision, decided_pair, run
-- out:   review_decision(ours_row, theirs_row, ruling, ours_content, ours_copy, theirs_content, theirs_copy)
-- grain: one row per (ours_content, ours_copy, theirs_content, theirs_copy)
-- form:  fact
-- why:   every decision of a reviewer that the run was given; one without rows was left aside, for a row of it is not in
--        the files
select
  p.ours_row + ours_offset as ours_row, p.theirs_row + theirs_offset as theirs_row, d.ruling, d.ours_content, d.ours_copy,
  d.theirs_content, d.theirs_copy
from given_decision d
left join decided_pair p using (ours_content, ours_copy, theirs_content, theirs_copy)
cross join run
order by d.ours_content, d.ours_copy, d.theirs_content, d.theirs_copy
