-- step:  fx_rule
-- in:    event_rate, run
-- out:   fx_rule(kind, currency, outcome, reason_code, confidence, measured_e9, threshold_e9, reason)
-- grain: one row per (kind, currency)
-- why:   the average rate of a currency's events stands out when it is further from the median of the 30 days before than
--        the band. Everything is whole numbers: twice the median is the sum of the two rates in the middle
with
placed as (
  select
    currency, nanos, sum(events) over (partition by currency order by nanos) as upto,
    sum(events) over (partition by currency) as events
  from event_rate
  where not is_window
),
base as (
  select
    currency,
    min(nanos) filter (upto >= (events + 1) // 2) + min(nanos) filter (upto >= events // 2 + 1) as twice_median
  from placed
  group by currency
),
now as (
  select currency, sum(nanos::hugeint * events) as nanos, sum(events) as events
  from event_rate
  where is_window
  group by currency
),
judged as (
  select
    currency, twice_median, abs(2 * now.nanos - events * twice_median) as apart, events * twice_median as base,
    fx_band_e12
  from now
  left join base using (currency)
  cross join run
)
select
  'fx_mismatch' as kind, currency,
  case
    when twice_median is null then 'not_computable'
    when apart * 1000000000000 > base * fx_band_e12 then 'delta'
    else 'within'
  end as outcome,
  'fx_band_exceeded_' || currency as reason_code, cast(0.6 as decimal(3, 2)) as confidence,
  cast(apart * 1000000000 // base as bigint) as measured_e9, cast(fx_band_e12 // 1000 as bigint) as threshold_e9,
  if(twice_median is null, 'no event of the 30 days before names a rate', '') as reason
from judged
union all
select
  'fx_mismatch', '', 'not_computable', 'fx_band_exceeded', cast(0.6 as decimal(3, 2)), null, cast(fx_band_e12 // 1000 as bigint),
  'no event of the window names a rate'
from run
where not exists (from now)
