-- step:  stated_expected
-- in:    expected
-- out:   stated_expected(request_id, event_date, network, app_id, ad_unit_id, country, format, micros, is_paid, ts_us)
-- form:  scan
-- why:   what is expected in the period, with keys as lines are compared by; the period is no relation, so that the engine
--        knows how many rows to reckon with
select
  request_id, event_date, coalesce(lower(network), '') as network, coalesce(app_id, '') as app_id,
  coalesce(ad_unit_id, '') as ad_unit_id, coalesce(upper(country), '') as country,
  coalesce(lower(format), '') as format, expected_usd_micros as micros, is_paid, ts_us
from expected
where ts_us >= getvariable('start_us') and ts_us < getvariable('end_us')
