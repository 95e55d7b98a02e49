-- step:  join_by_reference
-- in:    expected, reported, run
-- out:   reference_join(ours_row, theirs_row, differs)
-- why:   one pass over both sides finds the pairs that share a reference, the rows without a partner on either
--        side, and whether anything compared differs. It hopes that references are unique. The limit keeps a
--        repeated reference from multiplying: past it reference_is_repeated is certain and the careful steps follow.
select
  o.entry_no as ours_row,
  t.entry_no as theirs_row,
  entry_differs(o.compared, t.compared) as differs
from expected o
full join reported t on o.ref = t.ref
limit (select ours_rows + theirs_rows + 1 from run)
