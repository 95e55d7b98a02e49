-- step:  leftover_reference
-- in:    expected, reported, repeated_reference, equal_reference_pair, run
-- out:   leftover_reference(side, entry_no, ref, currency, amount_micros, place)
-- grain: one row per (side, entry_no)
-- why:   what no equal amount settled behind a repeated reference, in order of currency, amount and content. Where what
--        is left of a reference in one currency differs in number but ties in sum, it is left whole to the group pass
--        (one payment in three parts).
with
ours_left as (
  select entry_no, ref, currency, amount_micros, day, compared, source
  from expected
  semi join repeated_reference using (ref)
  anti join equal_reference_pair p on p.ours_row = entry_no
),
theirs_left as (
  select entry_no, ref, currency, amount_micros, day, compared, source
  from reported
  semi join repeated_reference using (ref)
  anti join equal_reference_pair p on p.theirs_row = entry_no
),
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
)
select
  'ours' as side, entry_no, ref, currency, amount_micros,
  row_number() over (partition by ref order by currency, amount_micros, day, compared, source, entry_no) as place
from ours_left
anti join group_later using (ref, currency)
semi join theirs_left using (ref)
union all
select
  'theirs', entry_no, ref, currency, amount_micros,
  row_number() over (partition by ref order by currency, amount_micros, day, compared, source, entry_no)
from theirs_left
anti join group_later using (ref, currency)
semi join ours_left using (ref)
