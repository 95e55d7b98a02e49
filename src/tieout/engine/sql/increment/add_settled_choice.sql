-- step:  add_settled_choice
-- in:    scored_choice, settled_pair
-- out:   scored_choice(ours_row, theirs_row, score, runner_up)
-- grain: one row per (ours_row)
-- why:   a pair that stands keeps the confidence of the day on which it was settled, clear of any other
from scored_choice
union all
select ours_row, theirs_row, score, 0
from settled_pair
