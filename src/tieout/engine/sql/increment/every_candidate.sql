-- step:  every_candidate
-- in:    block_candidate
-- out:   every_candidate(ours_row, theirs_row)
-- why:   what all rows of both sides would be compared with; rounds take from it what is new, the rest is known
from block_candidate
