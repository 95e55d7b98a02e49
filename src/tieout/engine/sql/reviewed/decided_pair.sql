-- step:  decided_pair
-- in:    expected, reported, given_decision
-- out:   decided_pair(ours_row, theirs_row, ruling, ours_content, ours_copy, theirs_content, theirs_copy)
-- grain: one row per (ours_row, theirs_row)
-- why:   which rows of these files a reviewer decided about: those that say what the decision says, whatever their number
with
ours as (
  select entry_no, content, copy_number(content, source, entry_no) as copy_no
  from rows_said('expected')
  semi join given_decision d on d.ours_content = content
),
theirs as (
  select entry_no, content, copy_number(content, source, entry_no) as copy_no
  from rows_said('reported')
  semi join given_decision d on d.theirs_content = content
)
select
  o.entry_no as ours_row, t.entry_no as theirs_row, d.ruling, d.ours_content, d.ours_copy, d.theirs_content, d.theirs_copy
from given_decision d
join ours o on o.content = d.ours_content and o.copy_no = d.ours_copy
join theirs t on t.content = d.theirs_content and t.copy_no = d.theirs_copy
