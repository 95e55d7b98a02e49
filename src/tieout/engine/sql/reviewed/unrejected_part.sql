-- step:  unrejected_part
-- in:    part_candidate, decided_pair
-- out:   part_candidate(whole_side, whole_row, part_row, is_other_sign, lag_days, weight)
-- grain: one row per (whole_side, whole_row, part_row)
-- why:   a row that a reviewer rejected as a partner is no part of the other either
from part_candidate c
anti join (from decided_pair where ruling = 'rejected') p
  on p.ours_row = if(whole_side = 'ours', whole_row, part_row) and p.theirs_row = if(whole_side = 'ours', part_row, whole_row)
