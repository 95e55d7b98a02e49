-- step:  decided_expected
-- in:    ungrouped_expected, decided_pair
-- out:   decided_expected(entry_no, ref, day, currency, amount_micros, text, words, units, content, said)
-- grain: one row per (entry_no)
-- why:   the rows of ours that a reviewer accepted a partner for: weights are learned from them as well
from ungrouped_expected
semi join (from decided_pair where ruling = 'accepted') p on p.ours_row = entry_no
