-- step:  balance
-- in:    daily, delta, differing, group_delta, run
-- out:   balance(currency, expected_micros, reported_micros, delta_micros, tolerated_micros, rate_micros, volume_micros, fx_micros, timing_micros, fee_micros, duplicate_micros, missing_micros, unexpected_micros, unexplained_micros)
-- grain: one row per (currency)
-- form:  fact
-- why:   for each currency what we expect less what they report must equal the sum of the parts of all deltas and
--        of the gaps that the tolerance forgave
with line as (
  select currency, 'expected' as item, sum(expected_micros) as micros from daily group by all
  union all
  select currency, 'reported', sum(reported_micros) from daily group by all
  union all
  select currency, 'delta', sum(amount_micros) from delta group by all
  union all
  select
    expected_currency, 'tolerated', sum(coalesce(expected_micros, 0)::hugeint - coalesce(reported_micros, 0))
  from differing, run
  where expected_currency = reported_currency
    and abs(coalesce(expected_micros, 0)::hugeint - coalesce(reported_micros, 0))
      <= greatest(tolerance_micros::hugeint, abs(coalesce(expected_micros, 0))::hugeint * tolerance_ppm // 1000000)
  group by all
  union all
  select currency, 'tolerated', sum(amount_micros) from group_delta where not is_delta group by all
  union all
  select currency, 'rate', sum(rate_micros) from delta group by all
  union all
  select currency, 'volume', sum(volume_micros) from delta group by all
  union all
  select currency, 'fx', sum(fx_micros) from delta group by all
  union all
  select currency, 'timing', sum(timing_micros) from delta group by all
  union all
  select currency, 'fee', sum(fee_micros) from delta group by all
  union all
  select currency, 'duplicate', sum(duplicate_micros) from delta group by all
  union all
  select currency, 'missing', sum(missing_micros) from delta group by all
  union all
  select currency, 'unexpected', sum(unexpected_micros) from delta group by all
  union all
  select currency, 'unexplained', sum(unexplained_micros) from delta group by all
)
select
  currency,
  cast(coalesce(sum(micros) filter (item = 'expected'), 0) as decimal(38, 0)) as expected_micros,
  cast(coalesce(sum(micros) filter (item = 'reported'), 0) as decimal(38, 0)) as reported_micros,
  cast(coalesce(sum(micros) filter (item = 'delta'), 0) as decimal(38, 0)) as delta_micros,
  cast(coalesce(sum(micros) filter (item = 'tolerated'), 0) as decimal(38, 0)) as tolerated_micros,
  cast(coalesce(sum(micros) filter (item = 'rate'), 0) as decimal(38, 0)) as rate_micros,
  cast(coalesce(sum(micros) filter (item = 'volume'), 0) as decimal(38, 0)) as volume_micros,
  cast(coalesce(sum(micros) filter (item = 'fx'), 0) as decimal(38, 0)) as fx_micros,
  cast(coalesce(sum(micros) filter (item = 'timing'), 0) as decimal(38, 0)) as timing_micros,
  cast(coalesce(sum(micros) filter (item = 'fee'), 0) as decimal(38, 0)) as fee_micros,
  cast(coalesce(sum(micros) filter (item = 'duplicate'), 0) as decimal(38, 0)) as duplicate_micros,
  cast(coalesce(sum(micros) filter (item = 'missing'), 0) as decimal(38, 0)) as missing_micros,
  cast(coalesce(sum(micros) filter (item = 'unexpected'), 0) as decimal(38, 0)) as unexpected_micros,
  cast(coalesce(sum(micros) filter (item = 'unexplained'), 0) as decimal(38, 0)) as unexplained_micros
from line
group by currency
order by currency
