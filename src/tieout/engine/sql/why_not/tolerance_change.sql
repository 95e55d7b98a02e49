-- step:  tolerance_change
-- in:    pair_delta, repeated_reference, run
-- out:   tolerance_change(rule, from_value, to_value, place, currency, ours_rows, theirs_rows, amount_micros, basis)
-- grain: one row per (to_value, currency)
-- empty: when pair_delta
-- types: varchar, varchar, varchar, integer, varchar, bigint, bigint, hugeint, varchar
-- why:   how many pairs, and how much money, a larger tolerance would forgive, in steps that people use. What it says is exact
--        where every match is one to one; sums of groups, or of payments applied, may be forgiven as well (estimate)
with
step as (
  select
    unnest([
      {place: 1, micros: 10000, ppm: 0, told: '0.01'}, {place: 2, micros: 50000, ppm: 0, told: '0.05'},
      {place: 3, micros: 1000000, ppm: 0, told: '1'}, {place: 4, micros: 0, ppm: 1000, told: '0.1%'},
      {place: 5, micros: 0, ppm: 5000, told: '0.5%'}, {place: 6, micros: 0, ppm: 10000, told: '1%'},
      {place: 7, micros: 0, ppm: 20000, told: '2%'}
    ], recursive := true)
),
wider as (
  select
    place,
    concat_ws(
      '+', if(greatest(micros, tolerance_micros) > 0, plain_number(greatest(micros, tolerance_micros)::decimal(19, 0) * 0.000001::decimal(7, 6)), null),
      if(greatest(ppm, tolerance_ppm) > 0, plain_number(greatest(ppm, tolerance_ppm)::decimal(19, 0) * 0.0001::decimal(5, 4)) || '%', null)
    ) as to_value,
    greatest(micros, tolerance_micros) as micros, greatest(ppm, tolerance_ppm) as ppm
  from step
  cross join run
  where micros > tolerance_micros or ppm > tolerance_ppm
)
select
  'tolerance' as rule,
  concat_ws(
    '+', if(tolerance_micros > 0 or tolerance_ppm = 0, plain_number(tolerance_micros::decimal(19, 0) * 0.000001::decimal(7, 6)), null),
    if(tolerance_ppm > 0, plain_number(tolerance_ppm::decimal(19, 0) * 0.0001::decimal(5, 4)) || '%', null)
  ) as from_value,
  to_value, place, d.currency, count(*) as ours_rows, count(*) as theirs_rows, sum(abs(d.amount_micros::hugeint)) as amount_micros,
  if(
    has_group or has_settlement or (select count(*) from repeated_reference) > 0, 'estimate', 'exact'
  ) as basis
from wider
join pair_delta d
  on d.kind in ('underpay', 'overpay')
  and abs(d.amount_micros) <= greatest(micros::hugeint, abs(coalesce(d.ours_amount_micros, 0))::hugeint * ppm // 1000000)
cross join run
group by all
