-- step:  balance
-- in:    day_total, delta, differing, group_delta, settlement_delta
-- out:   balance(currency, expected_micros, reported_micros, delta_micros, tolerated_micros, rate_micros, volume_micros, fx_micros, timing_micros, fee_micros, duplicate_micros, missing_micros, unexpected_micros, unexplained_micros)
-- grain: one row per (currency)
-- form:  fact
-- why:   for each currency what we expect less what they report must equal the sum of the parts of all deltas and
--        of the gaps that the tolerance forgave
with
side as (
  select
    currency, sum(micros) filter (side = 'ours') as expected, sum(micros) filter (side = 'theirs') as reported
  from day_total
  group by all
),
part as (
  select
    currency, sum(amount_micros) as delta, sum(rate_micros) as rate, sum(volume_micros) as volume, sum(fx_micros) as fx,
    sum(timing_micros) as timing, sum(fee_micros) as fee, sum(duplicate_micros) as duplicate,
    sum(missing_micros) as missing, sum(unexpected_micros) as unexpected, sum(unexplained_micros) as unexplained
  from delta
  group by all
),
tolerated as (
  select currency, sum(micros) as tolerated
  from (
    select expected_currency as currency, gap_micros as micros
    from differing
    where expected_currency = reported_currency and abs(gap_micros) <= allowed_micros
    union all
    select currency, amount_micros from group_delta where not is_delta
    union all
    select currency, amount_micros from settlement_delta where not is_delta
  )
  group by all
)
select
  currency,
  cast(coalesce(expected, 0) as decimal(38, 0)) as expected_micros,
  cast(coalesce(reported, 0) as decimal(38, 0)) as reported_micros,
  cast(coalesce(delta, 0) as decimal(38, 0)) as delta_micros,
  cast(coalesce(tolerated, 0) as decimal(38, 0)) as tolerated_micros,
  cast(coalesce(rate, 0) as decimal(38, 0)) as rate_micros,
  cast(coalesce(volume, 0) as decimal(38, 0)) as volume_micros,
  cast(coalesce(fx, 0) as decimal(38, 0)) as fx_micros,
  cast(coalesce(timing, 0) as decimal(38, 0)) as timing_micros,
  cast(coalesce(fee, 0) as decimal(38, 0)) as fee_micros,
  cast(coalesce(duplicate, 0) as decimal(38, 0)) as duplicate_micros,
  cast(coalesce(missing, 0) as decimal(38, 0)) as missing_micros,
  cast(coalesce(unexpected, 0) as decimal(38, 0)) as unexpected_micros,
  cast(coalesce(unexplained, 0) as decimal(38, 0)) as unexplained_micros
from side
full join part using (currency)
full join tolerated using (currency)
order by currency
