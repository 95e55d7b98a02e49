-- step:  left_cells_reported
-- in:    open_line, sum_cell, request_choice
-- out:   reported_item(item_no, network, event_date, app_id, ad_unit_id, country, format, micros)
-- grain: one row per (item_no)
-- why:   sums that have no partner by their whole key are scored: a unit may have been renamed. An item bears the
--        number of its first line
select
  min(line_no) as item_no, network, event_date, app_id, ad_unit_id, country, format,
  cast(sum(micros) as bigint) as micros
from open_line
anti join sum_cell using (event_date, network, app_id, ad_unit_id, country, format)
where request_id is null and line_no not in (select reported_no from request_choice)
group by all
