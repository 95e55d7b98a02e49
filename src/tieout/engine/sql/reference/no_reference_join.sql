-- step:  no_reference_join
-- in:    expected, reported
-- out:   reference_join(ours_row, theirs_row, differs)
-- why:   stands for join_by_reference where the plan names no reference: nothing is joined
select o.entry_no as ours_row, t.entry_no as theirs_row, false as differs
from expected o
cross join reported t
limit 0
