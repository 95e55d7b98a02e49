-- step:  record_delta
-- in:    delta
-- out:   record_delta(kind, key, content, sum_side, sum_party, currency, amount_micros)
-- grain: one row per (kind, key)
-- form:  view
-- why:   the deltas of the windows that begin on the day, with the parts that explain each to the last micro
select
  'delta' as kind, evidence_id as key,
  json_object(
    'amount_micros', amount_micros::varchar, 'confidence', confidence::varchar, 'currency', currency,
    'duplicate_micros', duplicate_micros::varchar, 'evidence_id', evidence_id, 'ivt_micros', ivt_micros::varchar,
    'kind', kind, 'missing_micros', missing_micros::varchar, 'rate_micros', rate_micros::varchar,
    'reason_code', reason_code, 'timing_micros', timing_micros::varchar,
    'unexpected_micros', unexpected_micros::varchar, 'volume_micros', volume_micros::varchar,
    'window', delta_window, 'window_end_us', window_end_us::varchar, 'window_start_us', window_start_us::varchar
  ) as content,
  null::varchar as sum_side, null::varchar as sum_party, null::varchar as currency, null::bigint as amount_micros
from delta
