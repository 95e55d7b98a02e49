-- step:  no_reference_join
-- in:    expected
-- out:   reference_join(ours_row, theirs_row, differs)
-- why:   stands for join_by_reference where the plan names no reference: nothing is joined
select entry_no as ours_row, entry_no as theirs_row, false as differs
from expected
limit 0
