-- step:  lone_delta
-- in:    lone_expected, lone_reported, open_expected, open_reported, application_row, told_row
-- out:   lone_delta(kind, amount_micros, currency, ours_row, theirs_row, reason_code, day, ours_amount_micros, theirs_amount_micros)
-- why:   a row without a partner is a delta of its whole amount: ours adds, theirs takes away. An amount that is not
--        there stays null: it is not zero. A booking and its reversal cancel inside one side: rows of one reference, or
--        without one of one text, whose amounts differ in sign alone and that are at most 31 days apart, or that
--        were told to be such by the party that they name
with
ours_booked as (
  select
    'ours' as side, e.entry_no, coalesce(e.currency, '') as currency, abs(e.amount_micros) as magnitude,
    e.amount_micros > 0 as adds, e.day, coalesce(e.ref::varchar, e.text, '') as told,
    row_number() over (
      partition by e.currency, e.amount_micros, told order by e.day, e.source, e.entry_no
    ) as nth
  from lone_expected l
  join open_expected e using (entry_no)
  where l.reason_code <> 'duplicate' and e.amount_micros <> 0 and told <> ''
),
theirs_booked as (
  select
    'theirs' as side, e.entry_no, coalesce(e.currency, '') as currency, abs(e.amount_micros) as magnitude,
    e.amount_micros > 0 as adds, e.day, coalesce(e.ref::varchar, e.text, '') as told,
    row_number() over (
      partition by e.currency, e.amount_micros, told order by e.day, e.source, e.entry_no
    ) as nth
  from lone_reported l
  join open_reported e using (entry_no)
  where l.reason_code <> 'duplicate' and e.amount_micros <> 0 and told <> ''
),
booked as (from ours_booked union all from theirs_booked),
reversed as (
  select side, unnest([p.entry_no, m.entry_no]) as entry_no
  from (from booked where adds) p
  join (from booked where not adds) m using (side, currency, magnitude, told, nth)
  where coalesce(abs(date_diff('day', p.day, m.day)) <= 31, p.day is null and m.day is null)
  union
  select side, entry_no from told_row where reason_code = 'reversed'
)
select
  l.reason_code as kind, e.amount_micros, coalesce(e.currency, '') as currency, l.entry_no as ours_row,
  null::bigint as theirs_row,
  case
    when e.amount_micros is null then 'amount_absent'
    when l.entry_no in (select entry_no from reversed where side = 'ours') then 'reversed'
    when l.reason_code = 'timing_lag' then 'within_window_of_end'
    when l.reason_code = 'duplicate' then 'copy_on_our_side'
    else 'not_reported'
  end as reason_code,
  e.day, e.amount_micros as ours_amount_micros, null::bigint as theirs_amount_micros
from lone_expected l
join open_expected e using (entry_no)
union all
select
  l.reason_code, -e.amount_micros, coalesce(e.currency, ''), null, l.entry_no,
  case
    when e.amount_micros is null then 'amount_absent'
    when l.entry_no in (select entry_no from reversed where side = 'theirs') then 'reversed'
    when l.reason_code = 'timing_lag' then 'within_window_of_start'
    when l.entry_no in (select theirs_row from application_row where kind = 'duplicate') then 'duplicate_payment'
    when l.reason_code = 'duplicate' then 'copy_on_their_side'
    else 'not_expected'
  end,
  e.day, null, e.amount_micros
from lone_reported l
join open_reported e using (entry_no)
