-- step:  contested_expected
-- in:    block_expected, lone_candidate
-- out:   block_expected(entry_no, ref, currency, day, term, amount_micros, magnitude, size, fine, initials, first_word, has_text)
-- grain: one row per (entry_no)
-- why:   the rows of ours that are looked at again
from block_expected
anti join (select ours_row as entry_no from lone_candidate) p using (entry_no)
