-- step:  add_settled
-- in:    equal_row, settled_pair
-- out:   equal_row(ours_row, theirs_row, is_match, score_time, score_unit, score_text)
-- grain: one row per (ours_row, theirs_row)
-- why:   no later step searches a partner for rows that met as equals; so it shall be with what an earlier run settled
from equal_row
union all
select ours_row, theirs_row, true, score_time, score_unit, score_text
from settled_pair
