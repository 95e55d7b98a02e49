-- step:  unequal_reported
-- in:    ungrouped_reported, equal_row
-- out:   unequal_reported(entry_no, currency, content)
-- form:  scan
-- why:   the rows that are left to be told apart by likeness
select entry_no, currency, content
from ungrouped_reported
anti join (from equal_row where is_match) m on m.theirs_row = entry_no
