-- step:  day_expected
-- in:    expected, day
-- out:   day_expected(request_id, event_date, network, app_id, ad_unit_id, format, country, placement_id, expected_usd_micros, currency, is_paid, floor_cpm_micros, floor_currency, receipt_hash, ts_us)
-- grain: one row per (request_id)
-- why:   what was expected for requests of the day, each once: where runs differ, the one that knows of a payment
with
ordered as (
  select
    *,
    row_number() over (
      partition by request_id
      order by is_paid desc, ts_us, expected_usd_micros, network, app_id, ad_unit_id, country, format, placement_id
    ) as place
  from expected, day
  where event_date = day.day
)
select
  request_id, event_date, coalesce(lower(network), '') as network, app_id, ad_unit_id, format, country, placement_id,
  expected_usd_micros, currency, is_paid, floor_cpm_micros, floor_currency, receipt_hash, ts_us
from ordered
where place = 1
