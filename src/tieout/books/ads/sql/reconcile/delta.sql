-- step:  delta
-- in:    rule, run
-- out:   delta(kind, amount_micros, currency, reason_code, window_start_us, window_end_us, evidence_id, confidence, timing_micros, missing_micros, volume_micros, rate_micros, ivt_micros, duplicate_micros, unexpected_micros)
-- grain: one row per (evidence_id)
-- form:  fact
-- why:   what somebody must look at: positive where less was reported than we expect. The evidence names the period and
--        the rule, so that the same finding has the same name in every run
select
  kind, amount_micros, if(kind = 'fx_mismatch', 'USD', currency) as currency, reason_code,
  start_us as window_start_us, end_us as window_end_us,
  evidence_base
  || case kind
    when 'timing_lag' then ':lag'
    when 'ivt_outlier' then ':ivt'
    when 'fx_mismatch' then ':fx'
    when 'viewability_gap' then ':viewability'
    else ':' || kind
  end
  || if(rule.currency = 'USD', '', ':' || rule.currency)
  || if(scope = '', '', ':' || scope) as evidence_id,
  confidence, timing_micros, missing_micros, volume_micros, rate_micros, ivt_micros, duplicate_micros,
  unexpected_micros
from rule, run
where outcome = 'delta'
order by evidence_id
