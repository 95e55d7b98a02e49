-- step:  open_line
-- in:    line, repeated_line, request_line, surplus_line
-- out:   open_line(line_no, event_date, network, app_id, ad_unit_id, country, format, impressions, request_id, micros)
-- grain: one row per (line_no)
-- why:   lines in dollars that name no request of ours are left for the sums
select line_no, event_date, network, app_id, ad_unit_id, country, format, impressions, request_id, micros
from line
where
  currency = 'USD'
  and line_no not in (from repeated_line)
  and line_no not in (from surplus_line)
  and line_no not in (select line_no from request_line)
