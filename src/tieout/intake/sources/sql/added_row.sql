-- step:  added_row
-- in:    arriving_row, current_row
-- out:   added_row(row_no, content, occurrence, key, day)
-- grain: one row per (row_no)
-- why:   the rows of the file that the source does not say already
select row_no, content, occurrence, key, day
from arriving_row
anti join current_row using (content, occurrence)
