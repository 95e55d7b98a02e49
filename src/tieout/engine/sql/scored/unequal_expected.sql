-- step:  unequal_expected
-- in:    ungrouped_expected, equal_row
-- out:   unequal_expected(entry_no, currency, content)
-- form:  scan
-- why:   the rows that are left to be told apart by likeness
select entry_no, currency, content
from ungrouped_expected
anti join (from equal_row where is_match) m on m.ours_row = entry_no
