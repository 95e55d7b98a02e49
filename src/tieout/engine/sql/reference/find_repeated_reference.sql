-- step:  find_repeated_reference
-- in:    expected, reported
-- out:   repeated_reference(ref)
-- grain: one row per (ref)
-- why:   a reference that both sides know and that stands more than once on either needs more than the join
select ref
from (
  select ref, count(*) as ours_rows, 0 as theirs_rows from expected where ref is not null group by ref
  union all
  select ref, 0, count(*) from reported where ref is not null group by ref
)
group by ref
having sum(ours_rows) > 0 and sum(theirs_rows) > 0 and sum(ours_rows) + sum(theirs_rows) > 2
