-- step:  touching_candidate
-- in:    every_candidate, settled_pair, reopened_row
-- out:   block_candidate(ours_row, theirs_row)
-- why:   the candidates of a round: a row that was opened again on one side, a row of a settled pair on the other
from every_candidate
semi join (from reopened_row where side = 'ours') r on r.entry_no = ours_row
semi join settled_pair p on p.theirs_row = every_candidate.theirs_row
union all
from every_candidate
semi join (from reopened_row where side = 'theirs') r on r.entry_no = theirs_row
semi join settled_pair p on p.ours_row = every_candidate.ours_row
