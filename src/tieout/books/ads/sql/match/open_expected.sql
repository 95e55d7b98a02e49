-- step:  open_expected
-- in:    window_expected, request_line
-- out:   open_expected(request_id, event_date, network, app_id, ad_unit_id, country, format, micros, is_paid, ts_us)
-- grain: one row per (request_id)
-- form:  scan
-- why:   requests that no line names are left for the sums
from window_expected where request_id not in (select request_id from request_line)
