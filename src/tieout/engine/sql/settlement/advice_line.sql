-- step:  advice_line
-- in:    advice, payment_reference, run
-- out:   advice_line(line_no, theirs_row, payment, reference, amount_micros, memo)
-- grain: one row per (line_no)
-- why:   each line of advice with the row of theirs that it names; a line that names none, or a reference that several
--        rows of theirs bear, has no row and is quarantined. Signs and leading zeros do not count
with bearer as (
  select plain_reference(reference) as reference, min(entry_no) as theirs_row, count(*) as bearers
  from payment_reference
  where plain_reference(reference) <> ''
  group by all
)
select
  a.entry_no + advice_offset as line_no, if(b.bearers = 1, b.theirs_row, null) as theirs_row, a.group_ref as payment,
  coalesce(a.ref::varchar, '') as reference, a.amount_micros, coalesce(a.text, '') as memo
from advice a
left join bearer b on b.reference = plain_reference(a.group_ref)
cross join run
