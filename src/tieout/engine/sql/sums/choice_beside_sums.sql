-- step:  choice_beside_sums
-- in:    scored_choice, sum_row
-- out:   scored_choice(ours_row, theirs_row, score, runner_up)
-- grain: one row per (ours_row)
-- why:   a pair gives way to a sum that holds one of its rows, or both
select c.*
from scored_choice c
anti join (select ours_row from sum_row) o on o.ours_row = c.ours_row
anti join (select theirs_row from sum_row) t on t.theirs_row = c.theirs_row
