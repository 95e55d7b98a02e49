-- step:  still_settled
-- in:    settled_pair, touched_pair
-- out:   settled_pair(ours_row, theirs_row, outcome, confidence, alternatives, score, score_time, score_amount, score_unit, score_text, weight_pair, weight_time, weight_amount, weight_unit, weight_text)
-- grain: one row per (ours_row)
-- why:   the settled pairs less those that a round opened again
from settled_pair
anti join touched_pair using (ours_row)
