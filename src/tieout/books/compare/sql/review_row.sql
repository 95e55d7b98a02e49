-- query: review_row
-- in:    wanted, expected, reported, numbering
-- out:   side, row_no, day, amount_micros, currency, ref, text, content, copy_no
-- grain: one row per (side, row_no)
-- why:   what rows say, and what names them in decisions
with
ours as (
  select w.side, w.row_no, e.entry_no, e.day, e.amount_micros, coalesce(e.currency, '') as currency, e.ref, e.text
  from wanted w
  cross join numbering
  join expected e on e.entry_no = w.row_no - ours_offset
  where w.side = 'ours'
),
theirs as (
  select w.side, w.row_no, e.entry_no, e.day, e.amount_micros, coalesce(e.currency, '') as currency, e.ref, e.text
  from wanted w
  cross join numbering
  join reported e on e.entry_no = w.row_no - theirs_offset
  where w.side = 'theirs'
),
ours_said as (
  select entry_no, content, copy_number(content, source, entry_no) as copy_no
  from rows_said('expected')
  semi join (select content from rows_said('expected') semi join ours using (entry_no)) using (content)
),
theirs_said as (
  select entry_no, content, copy_number(content, source, entry_no) as copy_no
  from rows_said('reported')
  semi join (select content from rows_said('reported') semi join theirs using (entry_no)) using (content)
)
select o.side, o.row_no, o.day, o.amount_micros, o.currency, o.ref::varchar as ref, o.text, s.content, s.copy_no
from ours o
join ours_said s using (entry_no)
union all
select t.side, t.row_no, t.day, t.amount_micros, t.currency, t.ref::varchar, t.text, s.content, s.copy_no
from theirs t
join theirs_said s using (entry_no)
order by side, row_no
