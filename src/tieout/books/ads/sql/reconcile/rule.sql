-- step:  rule
-- in:    money_rule, ivt_rule, fx_rule, viewability_rule
-- out:   rule(kind, currency, scope, outcome, reason_code, confidence, amount_micros, measured_e9, threshold_e9, reason, timing_micros, missing_micros, volume_micros, rate_micros, ivt_micros, duplicate_micros, unexpected_micros)
-- grain: one row per (kind, currency, scope)
-- form:  fact
-- why:   what each rule found: a delta, nothing beyond its threshold, or that it could not be computed and why
select
  kind, currency, coalesce(scope, '') as scope, outcome, reason_code, confidence,
  coalesce(amount_micros, 0) as amount_micros, measured_e9, threshold_e9, reason, coalesce(timing_micros, 0) as timing_micros,
  coalesce(missing_micros, 0) as missing_micros, coalesce(volume_micros, 0) as volume_micros,
  coalesce(rate_micros, 0) as rate_micros, coalesce(ivt_micros, 0) as ivt_micros,
  coalesce(duplicate_micros, 0) as duplicate_micros, coalesce(unexpected_micros, 0) as unexpected_micros
from (
  from money_rule
  union all by name
  from ivt_rule
  union all by name
  from fx_rule
  union all by name
  from viewability_rule
)
order by kind, currency, scope
