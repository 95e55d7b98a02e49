-- step:  add_accepted
-- in:    scored_match, decided_pair
-- out:   scored_match(ours_row, theirs_row, pass, outcome, confidence, alternatives, margin)
-- grain: one row per (ours_row)
-- why:   the pairs that a reviewer accepted join those that were chosen, sure and without an alternative
from scored_match
union all
select ours_row, theirs_row, 'reviewed', 'auto', 1, 0, 1
from decided_pair
where ruling = 'accepted'
