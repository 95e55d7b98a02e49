-- step:  left_reported
-- in:    block_reported, settled_pair
-- out:   block_reported(entry_no, ref, currency, day, term, amount_micros, magnitude, size, fine, initials, first_word, has_text)
-- grain: one row per (entry_no)
-- why:   the rows of theirs that no settled pair holds. Whatever follows knows no others
from block_reported
anti join (select theirs_row as entry_no from settled_pair) p using (entry_no)
