-- step:  add_choice
-- in:    scored_choice, mutual_best
-- out:   scored_choice(ours_row, theirs_row, score, runner_up)
-- grain: one row per (ours_row)
-- why:   the pairs of a round join those of the rounds before
from scored_choice
union all
from mutual_best
