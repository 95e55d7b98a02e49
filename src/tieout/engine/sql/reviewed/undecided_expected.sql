-- step:  undecided_expected
-- in:    ungrouped_expected, decided_pair
-- out:   ungrouped_expected(entry_no, ref, day, currency, amount_micros, text, words, units, content, said)
-- grain: one row per (entry_no)
-- why:   a row of ours that a reviewer accepted a partner for takes part in nothing else
from ungrouped_expected
anti join (from decided_pair where ruling = 'accepted') p on p.ours_row = entry_no
