-- step:  unrejected_candidate
-- in:    block_candidate, decided_pair
-- out:   block_candidate(ours_row, theirs_row)
-- grain: one row per (ours_row, theirs_row)
-- why:   a pair that a reviewer rejected is no candidate: never matched, no alternative, and in learning a chance of 0
from block_candidate
anti join (from decided_pair where ruling = 'rejected') p using (ours_row, theirs_row)
