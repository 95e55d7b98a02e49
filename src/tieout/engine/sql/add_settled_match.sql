-- step:  add_settled_match
-- in:    scored_match, settled_pair
-- out:   scored_match(ours_row, theirs_row, pass, outcome, confidence, alternatives, margin)
-- grain: one row per (ours_row)
-- why:   a pair that stands keeps the confidence of the day on which it was settled
from scored_match
union all
select ours_row, theirs_row, 'scored', outcome, confidence, alternatives, null
from settled_pair
