-- step:  pair_delta
-- in:    differing
-- out:   pair_delta(kind, amount_micros, currency, match_id, ours_row, theirs_row, reason_code, confidence, day, ours_amount_micros, theirs_amount_micros, rate_micros, volume_micros, fx_micros, timing_micros, fee_micros, duplicate_micros, missing_micros, unexpected_micros, unexplained_micros)
-- empty: when differing_by_reference and scored_match
-- types: varchar, bigint, varchar, bigint, bigint, bigint, varchar, double, date, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint
-- why:   a pair is a delta in its amount when that differs by more than the tolerance (strictly) or when its currencies
--        differ. The gap is split in a fixed order, each part exact, the remainder to the next: fee (the change in
--        stated fees, where that brings the amounts nearer), fx
--        (change of rate on our amount, rounded toward zero; all of it where only our amount was converted, and then
--        there is no volume), volume (change in quantity at our rate, rounded toward zero), rate (what is left where
--        both quantities are known), else unexplained. A part beyond a trillion units explains nothing and is 0.
with
gap as (
  select * exclude (expected_compared, reported_compared)
  from differing
),
fee as (
  select
    *,
    case
      when expected_fee is null and reported_fee is null then 0
      when abs(gap_micros - (coalesce(reported_fee, 0)::hugeint - coalesce(expected_fee, 0))) < abs(gap_micros)
        then coalesce(reported_fee, 0)::hugeint - coalesce(expected_fee, 0)
      else 0
    end as fee_micros
  from gap
  where expected_currency = reported_currency and abs(gap_micros) > allowed_micros
),
fx as (
  select
    *,
    reported_fx is null and expected_fx not in (0, 1000000000) and expected_micros is not null as is_ours_converted,
    (expected_micros::hugeint * (expected_fx::hugeint - reported_fx)) // nullif(expected_fx, 0) as rate_change_micros,
    case
      when expected_fx is null or expected_fx = 0 or expected_micros is null then 0
      when is_ours_converted then gap_micros - fee_micros
      when reported_fx is null or reported_fx = expected_fx then 0
      when abs(rate_change_micros) <= 1000000000000000000 then rate_change_micros
      else 0
    end as fx_micros
  from fee
),
volume as (
  select
    *,
    expected_quantity is not null and reported_quantity is not null and expected_quantity <> 0
      and expected_micros is not null as has_quantity,
    ((expected_quantity::hugeint - reported_quantity) * expected_micros) // nullif(expected_quantity, 0)
      as quantity_change_micros,
    if(
      has_quantity and not coalesce(is_ours_converted, false) and abs(quantity_change_micros) <= 1000000000000000000,
      quantity_change_micros, 0
    ) as volume_micros,
    gap_micros - fee_micros - fx_micros - volume_micros as rest_micros
  from fx
)
select
  if(gap_micros > 0, 'underpay', 'overpay') as kind,
  cast(gap_micros as bigint) as amount_micros,
  expected_currency as currency, match_id, ours_row, theirs_row,
  case
    when expected_micros is null then 'amount_missing_ours'
    when reported_micros is null then 'amount_missing_theirs'
    when expected_micros = -reported_micros then 'sign_differs'
    when digits_swapped(expected_micros, reported_micros) then 'digits_swapped'
    else 'amount_differs'
  end as reason_code,
  confidence, coalesce(expected_day, reported_day) as day,
  expected_micros as ours_amount_micros, reported_micros as theirs_amount_micros,
  cast(if(has_quantity, rest_micros, 0) as bigint) as rate_micros,
  cast(volume_micros as bigint) as volume_micros,
  cast(fx_micros as bigint) as fx_micros,
  0::bigint as timing_micros,
  cast(fee_micros as bigint) as fee_micros,
  0::bigint as duplicate_micros, 0::bigint as missing_micros, 0::bigint as unexpected_micros,
  cast(if(has_quantity, 0, rest_micros) as bigint) as unexplained_micros
from volume
union all
select
  'currency_mismatch', side_micros, side_currency, match_id, ours_row, theirs_row,
  if(expected_currency = '' or reported_currency = '', 'currency_missing', 'currency_differs'),
  confidence, side_day, ours_micros, theirs_micros, 0, 0, 0, 0, 0, 0, 0, 0, coalesce(side_micros, 0)
from (
  select
    *, expected_currency as side_currency, expected_micros as side_micros, expected_day as side_day,
    expected_micros as ours_micros, null::bigint as theirs_micros
  from gap
  where expected_currency <> reported_currency
  union all
  select
    *, reported_currency, -reported_micros, reported_day, null, reported_micros
  from gap
  where expected_currency <> reported_currency
)
