-- step:  kept_expected
-- in:    stated_expected, repeated_hash
-- out:   kept_expected(request_id, event_date, network, app_id, ad_unit_id, country, format, micros, is_paid, ts_us)
-- grain: one row per (request_id)
-- why:   where runs differ about a request, the one that knows of a payment counts
from stated_expected
where hash(request_id) in (from repeated_hash)
qualify
  row_number() over (
    partition by request_id order by is_paid desc, ts_us, micros, network, app_id, ad_unit_id, country, format
  ) = 1
