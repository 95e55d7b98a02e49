-- step:  rule
-- in:    money_rule, ivt_rule, fx_rule, viewability_rule
-- out:   rule(kind, currency, outcome, reason_code, confidence, amount_micros, measured_e9, threshold_e9, reason, timing_micros, missing_micros, volume_micros, rate_micros, ivt_micros, duplicate_micros, unexpected_micros)
-- grain: one row per (kind, currency)
-- form:  fact
-- why:   what each rule found: a delta, nothing beyond its threshold, or that it could not be computed and why
from money_rule
union all by name
select *, 0 as amount_micros from ivt_rule
union all by name
select *, 0 as amount_micros from fx_rule
union all by name
select *, 0 as amount_micros from viewability_rule
order by kind, currency
