-- step:  pair_repeated_reference
-- in:    expected, reported, repeated_reference, run
-- out:   repeated_pair(ours_row, theirs_row, differs)
-- grain: one row per (ours_row)
-- why:   rows behind a repeated reference are paired one to one: first those equal in everything, then equal in
--        currency, amount and day, then in currency and amount, then of one currency in order of amount and content,
--        then the rest in order of currency, amount and content. Copies are never multiplied: what finds no free
--        partner stays open and is judged later (duplicate or not). Where what is left of a reference in one currency
--        differs in number but ties in sum, it is left whole to the group pass (one payment in three parts). Each
--        order ends in the whole content of the row and only among copies in the row number.
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
),
ours_left as (select * exclude (nth) from ours_3 o anti join pair_3 p on p.ours_row = o.entry_no),
theirs_left as (select * exclude (nth) from theirs_3 t anti join pair_3 p on p.theirs_row = t.entry_no),
left_sum as (
  select
    ref,
    currency,
    count(*) filter (side = 'ours') as ours_count,
    count(*) filter (side = 'theirs') as theirs_count,
    coalesce(sum(amount_micros) filter (side = 'ours'), 0) as ours_micros,
    coalesce(sum(amount_micros) filter (side = 'theirs'), 0) as theirs_micros,
    count(amount_micros) as amount_count
  from (
    select 'ours' as side, ref, currency, amount_micros from ours_left
    union all
    select 'theirs', ref, currency, amount_micros from theirs_left
  )
  group by ref, currency
),
group_later as (
  select ref, currency
  from left_sum, run
  where ours_count > 0 and theirs_count > 0 and ours_count <> theirs_count
    and amount_count = ours_count + theirs_count
    and abs(ours_micros - theirs_micros)
      <= greatest(tolerance_micros::hugeint, abs(ours_micros) * tolerance_ppm // 1000000)
),
ours_4 as (
  select
    *, row_number() over (partition by ref, currency order by amount_micros, day, compared, source, entry_no) as nth
  from ours_left
  anti join group_later using (ref, currency)
),
theirs_4 as (
  select
    *, row_number() over (partition by ref, currency order by amount_micros, day, compared, source, entry_no) as nth
  from theirs_left
  anti join group_later using (ref, currency)
),
pair_4 as (
  select o.entry_no as ours_row, t.entry_no as theirs_row, true as differs
  from ours_4 o
  join theirs_4 t on o.ref = t.ref and o.nth = t.nth and o.currency is not distinct from t.currency
),
ours_5 as (
  select
    o.* exclude (nth),
    row_number() over (partition by ref order by currency, amount_micros, day, compared, source, entry_no) as nth
  from ours_4 o
  anti join pair_4 p on p.ours_row = o.entry_no
),
theirs_5 as (
  select
    t.* exclude (nth),
    row_number() over (partition by ref order by currency, amount_micros, day, compared, source, entry_no) as nth
  from theirs_4 t
  anti join pair_4 p on p.theirs_row = t.entry_no
),
pair_5 as (
  select o.entry_no as ours_row, t.entry_no as theirs_row, true as differs
  from ours_5 o
  join theirs_5 t on o.ref = t.ref and o.nth = t.nth
)
from pair_1
union all
from pair_2
union all
from pair_3
union all
from pair_4
union all
from pair_5
