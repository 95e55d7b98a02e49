-- step:  lone_row
-- in:    lone_expected, lone_reported, ungrouped_expected, ungrouped_reported, open_expected, open_reported, run
-- out:   lone_row(side, entry_no, row_no, reason_code, own_ref, bound_ref, day, currency, amount_micros, text, words, units, place, is_subject)
-- grain: one row per (side, entry_no)
-- why:   the unmatched rows of both sides in one form; place orders them by their content, which a number stands for. Those of
--        weight are asked what would match them: the why_rows largest by amount of each side and currency, or the one row that a person asks about
with
one as (
  select
    'ours' as side, l.entry_no, l.entry_no + ours_offset as row_no, l.reason_code, e.ref::varchar as own_ref,
    u.ref::varchar as bound_ref, u.day, coalesce(u.currency, '') as currency, u.amount_micros,
    coalesce(u.text, '') as text, u.words, u.units,
    hash(e.source) as place
  from lone_expected l
  join ungrouped_expected u using (entry_no)
  join open_expected e using (entry_no)
  cross join run
  union all
  select
    'theirs', l.entry_no, l.entry_no + theirs_offset, l.reason_code, e.ref::varchar,
    u.ref::varchar, u.day, coalesce(u.currency, ''), u.amount_micros,
    coalesce(u.text, ''), u.words, u.units,
    hash(e.source)
  from lone_reported l
  join ungrouped_reported u using (entry_no)
  join open_reported e using (entry_no)
  cross join run
)
select
  one.*,
  if(
    why_row is null,
    row_number() over (partition by side, currency order by abs(amount_micros) desc nulls last, place, entry_no) <= why_rows,
    side = why_side and row_no = why_row
  ) as is_subject
from one
cross join run
