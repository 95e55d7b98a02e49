-- step:  without_settled
-- in:    equal_row, settled_pair
-- out:   equal_row(ours_row, theirs_row, is_match, score_time, score_unit, score_text)
-- grain: one row per (ours_row, theirs_row)
-- why:   the settled pairs go again from among the equals, for they have a confidence of their own
from equal_row
anti join settled_pair using (ours_row, theirs_row)
