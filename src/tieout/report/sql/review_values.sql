-- query: review_values
-- in:    difference, $match_ids
-- out:   ours_row, theirs_row, column, ours_value, theirs_value
-- grain: one row per (ours_row, theirs_row, column)
-- why:   who confirms a match wants to see in what the two rows are not alike
select ours_row, theirs_row, "column", ours_value, theirs_value
from difference
where match_id in (select unnest($match_ids::bigint[]))
order by ours_row, theirs_row, "column"
limit 400
