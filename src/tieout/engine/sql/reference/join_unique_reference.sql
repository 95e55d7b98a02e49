-- step:  join_unique_reference
-- in:    expected, reported, repeated_reference, repeated_pair
-- out:   reference_join(ours_row, theirs_row, differs)
-- why:   where references repeat, the join of join_by_reference is made again without the repeated ones, whose
--        pairs were settled before; what they left over is listed as rows without a partner
with
ours as (
  select o.* replace (if(o.ref in (from repeated_reference), null, o.ref) as ref)
  from expected o anti join repeated_pair p on p.ours_row = o.entry_no
),
theirs as (
  select t.* replace (if(t.ref in (from repeated_reference), null, t.ref) as ref)
  from reported t anti join repeated_pair p on p.theirs_row = t.entry_no
)
select
  o.entry_no as ours_row,
  t.entry_no as theirs_row,
  entry_differs(o.compared, t.compared) as differs
from ours o
full join theirs t on o.ref = t.ref
union all
from repeated_pair
