-- query: export_differences
-- in:    difference
-- out:   match_id, ours_row, theirs_row, column, ours_value, theirs_value, difference
-- grain: one row per (ours_row, theirs_row, column)
-- why:   each compared value in which a matched pair differs
select match_id, ours_row, theirs_row, "column", ours_value, theirs_value, units(difference_micros) as difference
from difference
