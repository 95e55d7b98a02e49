-- step:  block_candidate
-- in:    ungrouped_expected, ungrouped_reported, equal_row, run
-- out:   block_candidate(ours_row, theirs_row)
-- grain: one row per (ours_row, theirs_row)
-- why:   pairs worth scoring share the currency, lie within the window, and have one of: the same amount; an amount
--        of the same sign within a sixth and the same initials of the first two words (or no text on a side); a
--        word that is rare on both sides. Buckets of a fifth of the logarithm make the amount an equality for the
--        join, the exact limits come after. Where more than a million pairs share one amount, the same day or the
--        same initials are asked for as well. A row without a day lies within the window of every row: its bucket of
--        days is -1000000000, and where ours has such rows those of theirs stand in the bucket -2000000000 as well.
--        Two rows that both carry a reference and did not meet by it are not paired by likeness. Rows that met as
--        equals are settled.
with
unreferenced as (
  select entry_no from ungrouped_expected where ref is null
  union all
  select entry_no from ungrouped_reported where ref is null
),
ours as (
  select
    entry_no, ref, coalesce(currency, '') as currency, day, amount_micros, words, coalesce(text, '') as text,
    array_to_string(list_transform(string_split(coalesce(text, ''), ' ')[1:2], lambda w: left(w, 1)), '') as initials,
    sign(amount_micros) * cast(floor(ln(greatest(abs(amount_micros), 1)) * 5) as bigint) as size,
    coalesce(date_diff('day', date '1970-01-01', day) // (window_days + 1), -1000000000) as term
  from (select * from ungrouped_expected anti join (from equal_row where is_match) m on m.ours_row = entry_no), run
  where is_scored and (select count(*) from unreferenced) > 0
),
theirs as (
  select
    entry_no, ref, coalesce(currency, '') as currency, day, amount_micros, words, coalesce(text, '') as text,
    array_to_string(list_transform(string_split(coalesce(text, ''), ' ')[1:2], lambda w: left(w, 1)), '') as initials,
    sign(amount_micros) * cast(floor(ln(greatest(abs(amount_micros), 1)) * 5) as bigint) as size,
    coalesce(date_diff('day', date '1970-01-01', day) // (window_days + 1), -1000000000) as term
  from (select * from ungrouped_reported anti join (from equal_row where is_match) m on m.theirs_row = entry_no), run
  where is_scored and (select count(*) from unreferenced) > 0
),
crowded_amount as (
  select currency, amount_micros
  from (
    select currency, amount_micros, count(*) as ours_rows, 0 as theirs_rows from ours group by all
    union all
    select currency, amount_micros, 0, count(*) from theirs group by all
  )
  group by all
  having sum(ours_rows) * sum(theirs_rows) > 1000000
),
same_amount as (
  select o.entry_no as ours_row, t.entry_no as theirs_row, o.ref as ours_ref, t.ref as theirs_ref, o.day as ours_day,
    t.day as theirs_day
  from ours o
  join theirs t on o.currency = t.currency and o.amount_micros = t.amount_micros
  anti join crowded_amount x on x.currency = o.currency and x.amount_micros = o.amount_micros
  union all
  select o.entry_no, t.entry_no, o.ref, t.ref, o.day, t.day
  from (select * from ours semi join crowded_amount using (currency, amount_micros)) o
  join theirs t on o.currency = t.currency and o.amount_micros = t.amount_micros and o.initials = t.initials
  union all
  select o.entry_no, t.entry_no, o.ref, t.ref, o.day, t.day
  from (select * from ours semi join crowded_amount using (currency, amount_micros)) o
  join theirs t on o.currency = t.currency and o.amount_micros = t.amount_micros and o.day = t.day
),
near as (
  select
    *, size + s.step as near_size,
    unnest(if(day is null, [-2000000000], [term - 1, term, term + 1, -1000000000])) as near_term
  from ours, (values (-1), (0), (1)) s (step)
),
theirs_near as (
  select *, term as near_term from theirs
  union all
  select *, -2000000000 from theirs where (select count(*) from ours where day is null) > 0
),
near_amount as (
  select o.entry_no as ours_row, t.entry_no as theirs_row, o.ref as ours_ref, t.ref as theirs_ref, o.day as ours_day,
    t.day as theirs_day
  from near o
  join theirs_near t
    on o.currency = t.currency and o.near_size = t.size and o.near_term = t.near_term and o.initials = t.initials
  where abs(o.amount_micros::hugeint - t.amount_micros) * 6 <= greatest(abs(o.amount_micros), abs(t.amount_micros))
  union all
  select o.entry_no, t.entry_no, o.ref, t.ref, o.day, t.day
  from near o
  join theirs_near t on o.currency = t.currency and o.near_size = t.size and o.near_term = t.near_term
  where (o.text = '') <> (t.text = '')
    and abs(o.amount_micros::hugeint - t.amount_micros) * 6 <= greatest(abs(o.amount_micros), abs(t.amount_micros))
),
ours_word as (select entry_no, unnest(words) as word from ours),
theirs_word as (select entry_no, unnest(words) as word from theirs),
rare_word as (
  select word
  from (
    select word, count(*) as ours_rows, 0 as theirs_rows from ours_word group by word
    union all
    select word, 0, count(*) from theirs_word group by word
  )
  where length(word) >= 3
  group by word
  having sum(ours_rows) between 1 and 5 and sum(theirs_rows) between 1 and 5
),
rare_text as (
  select o.entry_no as ours_row, t.entry_no as theirs_row, o.ref as ours_ref, t.ref as theirs_ref, o.day as ours_day,
    t.day as theirs_day
  from (select entry_no, word from ours_word semi join rare_word using (word)) ow
  join (select entry_no, word from theirs_word semi join rare_word using (word)) tw on ow.word = tw.word
  join ours o on o.entry_no = ow.entry_no
  join theirs t on t.entry_no = tw.entry_no
  where o.currency = t.currency
)
select distinct ours_row, theirs_row
from (from same_amount union all from near_amount union all from rare_text), run
where (ours_ref is null or theirs_ref is null)
  and coalesce(abs(date_diff('day', ours_day, theirs_day)) <= window_days, true)
union all
select ours_row, theirs_row
from equal_row
where not is_match
