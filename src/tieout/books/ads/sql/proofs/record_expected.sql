-- step:  record_expected
-- in:    day_expected
-- out:   record_expected(kind, key, content, sum_side, sum_party, currency, amount_micros)
-- grain: one row per (kind, key)
-- form:  view
-- why:   our entries of a day: what each request should have earned, of which network, and the hash of its receipt
select
  'expected' as kind, request_id as key,
  json_object(
    'ad_unit_id', ad_unit_id, 'app_id', app_id, 'country', country, 'currency', currency,
    'expected_micros', expected_usd_micros::varchar, 'floor_cpm_micros', floor_cpm_micros::varchar,
    'floor_currency', floor_currency, 'format', format, 'is_paid', is_paid, 'network', network,
    'placement_id', placement_id, 'receipt_hash', receipt_hash, 'request_id', request_id, 'ts_us', ts_us::varchar
  ) as content,
  'expected' as sum_side, network as sum_party, currency, expected_usd_micros as amount_micros
from day_expected
