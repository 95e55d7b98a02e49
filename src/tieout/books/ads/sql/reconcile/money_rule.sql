-- step:  money_rule
-- in:    total, run
-- out:   money_rule(kind, currency, outcome, reason_code, confidence, amount_micros, measured_e9, threshold_e9, reason, timing_micros, missing_micros, volume_micros, rate_micros, ivt_micros, duplicate_micros, unexpected_micros)
-- grain: one row per (kind, currency)
-- why:   each kind about money is a delta when it is strictly beyond its threshold; impressions missing up to theirs
--        count as underpaid, for the money is missing either way. A rule without its inputs says so
with
judged as (
  select
    *,
    expected_rows > 0 and missing_rows::hugeint * 1000000000000 > expected_rows::hugeint * missing_e12 as is_missing,
    if(expected_rows > 0, cast(missing_rows::hugeint * 1000000000 // expected_rows as bigint), null) as missing_e9
  from total, run
),
folded as (
  select
    *, if(is_missing, 0, missing) as volume, rate + ivt + if(is_missing, 0, missing) as residual
  from judged
),
rule as (
  select
    currency, 'timing_lag' as kind, 'timing_lag_unmatched' as reason_code, 0.60 as confidence, timing as amount,
    timing > 0 as is_delta, null as measured_e9, 0 as threshold_e9,
    if(expected_micros > 0, '', 'nothing was expected') as lacking, 'timing' as part, 0 as volume, 0 as rate, 0 as ivt
  from folded where currency = 'USD'
  union all
  select
    currency, 'missing', 'impressions_missing', 0.60, missing, is_missing and missing > 0, missing_e9,
    missing_e12 // 1000, if(expected_rows > 0, '', 'nothing was expected'), 'missing', 0, 0, 0
  from folded where currency = 'USD'
  union all
  select
    currency, 'underpay', 'agg_underpay', 0.70, residual,
    residual * 1000000000000 > expected_micros::hugeint * underpay_e12 and expected_micros > 0,
    if(expected_micros > 0, residual * 1000000000 // expected_micros, null), underpay_e12 // 1000,
    case
      when expected_micros <= 0 then 'nothing was expected'
      when reported_rows = 0 and residual = 0 then 'no statement line in the window'
      else ''
    end,
    '', volume, rate, ivt
  from folded where currency = 'USD'
  union all
  select
    currency, 'overpay', 'agg_overpay', 0.70, overpay,
    -overpay * 1000000000000 > expected_micros::hugeint * underpay_e12 and expected_micros > 0,
    if(expected_micros > 0, -overpay * 1000000000 // expected_micros, null), underpay_e12 // 1000,
    case
      when expected_micros <= 0 then 'nothing was expected'
      when reported_rows = 0 then 'no statement line in the window'
      else ''
    end,
    '', 0, overpay, 0
  from folded where currency = 'USD'
  union all
  select
    currency, 'duplicate', 'statement_line_repeated', 0.90, duplicate, duplicate <> 0, null, 0,
    if(reported_rows = 0, 'no statement line in the window', ''), 'duplicate', 0, 0, 0
  from folded
  union all
  select
    currency, 'unexpected', if(currency = 'USD', 'no_expected_request', 'no_rate_for_currency'), 0.70, unexpected,
    unexpected <> 0, null, 0, if(reported_rows = 0, 'no statement line in the window', ''), 'unexpected', 0, 0, 0
  from folded
)
select
  kind, currency,
  case when is_delta then 'delta' when lacking <> '' then 'not_computable' else 'within' end as outcome,
  reason_code, cast(confidence as decimal(3, 2)) as confidence, cast(amount as bigint) as amount_micros,
  cast(measured_e9 as bigint) as measured_e9, cast(threshold_e9 as bigint) as threshold_e9,
  if(is_delta, '', lacking) as reason,
  cast(if(part = 'timing', amount, 0) as bigint) as timing_micros,
  cast(if(part = 'missing', amount, 0) as bigint) as missing_micros,
  cast(volume as bigint) as volume_micros, cast(rate as bigint) as rate_micros, cast(ivt as bigint) as ivt_micros,
  cast(if(part = 'duplicate', amount, 0) as bigint) as duplicate_micros,
  cast(if(part = 'unexpected', amount, 0) as bigint) as unexpected_micros
from rule
