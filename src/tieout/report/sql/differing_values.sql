-- query: differing_values
-- in:    difference, $column, $limit
-- out:   ours_row, theirs_row, ours_value, theirs_value, difference_micros
-- grain: one row per (ours_row, theirs_row)
-- why:   a few examples of a column, the largest first, show what kind of difference it is
select ours_row, theirs_row, ours_value, theirs_value, difference_micros
from difference
where "column" = $column
order by abs(difference_micros::hugeint) desc nulls last, ours_row, theirs_row
limit $limit
