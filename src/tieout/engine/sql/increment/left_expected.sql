-- step:  left_expected
-- in:    block_expected, settled_pair
-- out:   block_expected(entry_no, ref, currency, day, term, amount_micros, magnitude, size, fine, initials, first_word, has_text)
-- grain: one row per (entry_no)
-- why:   the rows of ours that no settled pair holds. Whatever follows knows no others
from block_expected
anti join (select ours_row as entry_no from settled_pair) p using (entry_no)
