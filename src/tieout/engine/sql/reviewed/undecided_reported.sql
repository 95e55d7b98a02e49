-- step:  undecided_reported
-- in:    ungrouped_reported, decided_pair
-- out:   ungrouped_reported(entry_no, ref, day, currency, amount_micros, text, words, units, content, said)
-- grain: one row per (entry_no)
-- why:   a row of theirs that a reviewer accepted a partner for takes part in nothing else
from ungrouped_reported
anti join (from decided_pair where ruling = 'accepted') p on p.theirs_row = entry_no
