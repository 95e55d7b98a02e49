-- step:  scored_choice
-- in:    scored_candidate
-- out:   scored_choice(ours_row, theirs_row, score, runner_up)
-- grain: one row per (ours_row)
-- why:   the choices of the scored pass, none before its first round
select ours_row, theirs_row, score, score as runner_up
from scored_candidate
limit 0
