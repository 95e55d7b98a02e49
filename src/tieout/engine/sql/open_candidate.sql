-- step:  open_candidate
-- in:    every_candidate, settled_pair
-- out:   block_candidate(ours_row, theirs_row)
-- grain: one row per (ours_row, theirs_row)
-- why:   what is left to be compared: the candidates of rows that are not settled
from every_candidate
anti join settled_pair using (ours_row)
anti join settled_pair using (theirs_row)
