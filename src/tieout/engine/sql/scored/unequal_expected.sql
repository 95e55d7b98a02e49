-- step:  unequal_expected
-- in:    ungrouped_expected, equal_row
-- out:   unequal_expected(entry_no, day, currency, amount_micros, text, words, unit_1, unit_2, unit_3, unit_4, unit_5, unit_6)
-- form:  scan
-- why:   the rows that are left to be told apart by likeness
select entry_no, day, currency, amount_micros, text, words, unit_1, unit_2, unit_3, unit_4, unit_5, unit_6
from ungrouped_expected
anti join (from equal_row where is_match) m on m.ours_row = entry_no
