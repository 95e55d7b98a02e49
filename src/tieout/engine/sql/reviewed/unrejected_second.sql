-- step:  unrejected_second
-- in:    second_candidate, decided_pair
-- out:   second_candidate(preference, ours_row, theirs_row, weight, weight_pair, weight_time, weight_amount, weight_unit, weight_text, ours_content, theirs_content)
-- grain: one row per (preference)
-- why:   a pair that a reviewer rejected is none at the second look either
from second_candidate
anti join (from decided_pair where ruling = 'rejected') p using (ours_row, theirs_row)
