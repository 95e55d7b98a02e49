-- step:  refused_row
-- in:    staged_row
-- out:   refused_row(row_no, line, refusal)
-- grain: one row per (row_no)
-- why:   rows that were read and cannot be taken: their day is in no calendar, or nothing identifies them
select row_no, line, refusal
from staged_row
where refusal is not null
order by row_no
