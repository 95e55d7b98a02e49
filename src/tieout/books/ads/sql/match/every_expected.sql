-- step:  every_expected
-- in:    stated_expected
-- out:   window_expected(request_id, event_date, network, app_id, ad_unit_id, country, format, micros, is_paid, ts_us)
-- grain: one row per (request_id)
-- form:  scan
-- why:   one run expects each request once
from stated_expected
