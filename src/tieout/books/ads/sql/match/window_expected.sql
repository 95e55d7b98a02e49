-- step:  window_expected
-- in:    stated_expected, repeated_hash, kept_expected
-- out:   window_expected(request_id, event_date, network, app_id, ad_unit_id, country, format, micros, is_paid, ts_us)
-- grain: one row per (request_id)
-- form:  scan
-- why:   what is expected in the period, each request once
from stated_expected
where hash(request_id) not in (from repeated_hash)
union all
from kept_expected
