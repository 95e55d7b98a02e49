-- query: review_row
-- in:    wanted, expected, reported, numbering
-- out:   side, row_no, day, amount_micros, currency, ref, text, content, copy_no
-- grain: one row per (side, row_no)
-- why:   what rows say, and what names them in decisions
select
  w.side, w.row_no, e.day, e.amount_micros, coalesce(e.currency, '') as currency, e.ref::varchar as ref, e.text, k.content,
  k.copy_no
from wanted w
cross join numbering
join expected e on e.entry_no = w.row_no - ours_offset
join rows_said('expected') k on k.entry_no = e.entry_no
where w.side = 'ours'
union all
select
  w.side, w.row_no, e.day, e.amount_micros, coalesce(e.currency, '') as currency, e.ref::varchar as ref, e.text, k.content,
  k.copy_no
from wanted w
cross join numbering
join reported e on e.entry_no = w.row_no - theirs_offset
join rows_said('reported') k on k.entry_no = e.entry_no
where w.side = 'theirs'
order by side, row_no
