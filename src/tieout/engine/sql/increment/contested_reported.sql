-- step:  contested_reported
-- in:    block_reported, lone_candidate
-- out:   block_reported(entry_no, ref, currency, day, term, amount_micros, magnitude, size, fine, initials, first_word, has_text)
-- grain: one row per (entry_no)
-- why:   the rows of theirs that are looked at again
from block_reported
anti join (select theirs_row as entry_no from lone_candidate) p using (entry_no)
