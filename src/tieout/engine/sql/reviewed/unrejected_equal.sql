-- step:  unrejected_equal
-- in:    equal_row, decided_pair
-- out:   equal_row(ours_row, theirs_row, is_match, score_time, score_unit, score_text)
-- grain: one row per (ours_row, theirs_row)
-- why:   rows that are equal in all respects and that a reviewer rejected as a pair do not meet; either may meet another
from equal_row
anti join (from decided_pair where ruling = 'rejected') p using (ours_row, theirs_row)
