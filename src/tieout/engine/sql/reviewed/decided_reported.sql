-- step:  decided_reported
-- in:    ungrouped_reported, decided_pair
-- out:   decided_reported(entry_no, ref, day, currency, amount_micros, text, words, units, content, said)
-- grain: one row per (entry_no)
-- why:   the rows of theirs that a reviewer accepted a partner for: weights are learned from them as well
from ungrouped_reported
semi join (from decided_pair where ruling = 'accepted') p on p.theirs_row = entry_no
