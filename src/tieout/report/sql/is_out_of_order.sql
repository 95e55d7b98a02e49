-- query: is_out_of_order
-- in:    match
-- out:   found
-- why:   runs write matches in order already, and looking costs a fifth of sorting ten million lines again
select count(*) > 0 as found
from (
  select
    ours_row,
    theirs_row,
    lag(ours_row) over () as ours_before,
    lag(theirs_row) over () as theirs_before
  from "match"
)
where ours_row < ours_before or (ours_row = ours_before and theirs_row < theirs_before)
