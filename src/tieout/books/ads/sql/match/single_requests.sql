-- step:  single_requests
-- in:    open_expected, sum_cell, reported_item
-- out:   expected_item(item_no, name, network, event_date, app_id, ad_unit_id, country, format, micros, ts_us)
-- grain: one row per (item_no)
-- why:   the requests that are left on the days and networks of single lines
select
  row_number() over (order by request_id) as item_no, request_id as name, network, event_date, app_id, ad_unit_id,
  country, format, micros, ts_us
from (from open_expected semi join reported_item using (network, event_date))
anti join sum_cell using (event_date, network, app_id, ad_unit_id, country, format)
