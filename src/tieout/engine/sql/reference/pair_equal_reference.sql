-- step:  pair_equal_reference
-- in:    expected, reported, repeated_reference
-- out:   equal_reference_pair(ours_row, theirs_row, differs)
-- grain: one row per (ours_row)
-- why:   rows behind a repeated reference are paired one to one: first those equal in everything, then equal in
--        currency, amount and day, then in currency and amount, nth with nth. Copies are never multiplied. Each order
--        ends in the whole content of the row and only among copies in the row number.
with
ours as (
  select entry_no, ref, currency, amount_micros, day, compared, source
  from expected
  semi join repeated_reference using (ref)
),
theirs as (
  select entry_no, ref, currency, amount_micros, day, compared, source
  from reported
  semi join repeated_reference using (ref)
),
ours_1 as (
  select
    *, row_number() over (partition by ref, currency, amount_micros, day, compared order by source, entry_no) as nth
  from ours
),
theirs_1 as (
  select
    *, row_number() over (partition by ref, currency, amount_micros, day, compared order by source, entry_no) as nth
  from theirs
),
pair_1 as (
  select o.entry_no as ours_row, t.entry_no as theirs_row, false as differs
  from ours_1 o
  join theirs_1 t
    on o.ref = t.ref and o.nth = t.nth and o.currency is not distinct from t.currency
    and o.amount_micros is not distinct from t.amount_micros and o.day is not distinct from t.day
    and o.compared is not distinct from t.compared
),
ours_2 as (
  select
    o.*, row_number() over (partition by ref, currency, amount_micros, day order by compared, source, entry_no) as nth
  from ours o
  anti join pair_1 p on p.ours_row = o.entry_no
),
theirs_2 as (
  select
    t.*, row_number() over (partition by ref, currency, amount_micros, day order by compared, source, entry_no) as nth
  from theirs t
  anti join pair_1 p on p.theirs_row = t.entry_no
),
pair_2 as (
  select o.entry_no as ours_row, t.entry_no as theirs_row, true as differs
  from ours_2 o
  join theirs_2 t
    on o.ref = t.ref and o.nth = t.nth and o.currency is not distinct from t.currency
    and o.amount_micros is not distinct from t.amount_micros and o.day is not distinct from t.day
),
ours_3 as (
  select
    o.* exclude (nth),
    row_number() over (partition by ref, currency, amount_micros order by day, compared, source, entry_no) as nth
  from ours_2 o
  anti join pair_2 p on p.ours_row = o.entry_no
),
theirs_3 as (
  select
    t.* exclude (nth),
    row_number() over (partition by ref, currency, amount_micros order by day, compared, source, entry_no) as nth
  from theirs_2 t
  anti join pair_2 p on p.theirs_row = t.entry_no
),
pair_3 as (
  select o.entry_no as ours_row, t.entry_no as theirs_row, true as differs
  from ours_3 o
  join theirs_3 t
    on o.ref = t.ref and o.nth = t.nth and o.currency is not distinct from t.currency
    and o.amount_micros is not distinct from t.amount_micros
)
from pair_1
union all
from pair_2
union all
from pair_3
