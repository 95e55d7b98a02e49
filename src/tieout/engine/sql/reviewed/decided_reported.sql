-- step:  decided_reported
-- in:    ungrouped_reported, decided_pair
-- out:   decided_reported(entry_no, ref, day, currency, amount_micros, text, words, unit_1, unit_2, unit_3, unit_4, unit_5, unit_6)
-- grain: one row per (entry_no)
-- why:   the rows of theirs that a reviewer accepted a partner for: weights are learned from them as well
from ungrouped_reported
semi join (from decided_pair where ruling = 'accepted') p on p.theirs_row = entry_no
