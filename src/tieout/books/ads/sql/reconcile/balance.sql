-- step:  balance
-- in:    total, rule
-- out:   balance(currency, expected_micros, reported_micros, delta_micros, tolerated_micros, settled_micros, review_micros)
-- grain: one row per (currency)
-- form:  fact
-- why:   what we expect less what was reported is the sum of the deltas, of what the thresholds forgave, and of what
--        came for another day, and of what waits for a person
with
judged as (
  select
    currency, sum(amount_micros) filter (outcome = 'delta') as delta,
    sum(amount_micros) filter (outcome <> 'delta') as forgiven
  from rule
  where kind not in ('ivt_outlier', 'fx_mismatch', 'viewability_gap')
  group by currency
),
missed as (
  select currency, sum(missing_micros) as micros from rule where kind = 'missing' and outcome <> 'delta' group by currency
)
select
  currency, cast(expected_micros as decimal(38, 0)) as expected_micros,
  cast(reported_micros as decimal(38, 0)) as reported_micros, cast(coalesce(delta, 0) as decimal(38, 0)) as delta_micros,
  cast(coalesce(forgiven, 0) - coalesce(m.micros, 0) as decimal(38, 0)) as tolerated_micros,
  cast(settled as decimal(38, 0)) as settled_micros, cast(review as decimal(38, 0)) as review_micros
from total
left join judged using (currency)
left join missed m using (currency)
order by currency
