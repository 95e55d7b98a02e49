-- step:  reversed_row
-- in:    lone_expected, lone_reported, open_expected, open_reported, told_row
-- out:   reversed_row(side, entry_no)
-- grain: one row per (side, entry_no)
-- empty: when mixed_sign and told_row
-- types: varchar, bigint
-- why:   a booking and its reversal cancel inside one side: rows of one reference, or without one of one text, whose amounts
--        differ in sign alone and that are at most 31 days apart, or that were told to be such by the party that they name
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
reversed as materialized (
  select side, p.entry_no as added, m.entry_no as taken
  from (from booked where adds) p
  join (from booked where not adds) m using (side, currency, magnitude, told, nth)
  where coalesce(abs(date_diff('day', p.day, m.day)) <= 31, p.day is null and m.day is null)
)
select side, added as entry_no from reversed
union
select side, taken from reversed
union
select side, entry_no from told_row where reason_code = 'reversed'
