-- step:  left_cells_expected
-- in:    rest_cell, sum_cell
-- out:   expected_item(item_no, name, network, event_date, app_id, ad_unit_id, country, format, micros, ts_us)
-- grain: one row per (item_no)
-- why:   our side of them; a sum of a day stands at its noon, so that the same day is no distance
select
  row_number() over (order by event_date, network, app_id, ad_unit_id, country, format) as item_no,
  cell_name(event_date, network, app_id, ad_unit_id, country, format) as name, network, event_date,
  app_id, ad_unit_id, country, format, micros - unpaid_micros as micros,
  epoch_us(event_date::timestamp) + 43200000000 as ts_us
from rest_cell
anti join sum_cell using (event_date, network, app_id, ad_unit_id, country, format)
where expected_rows > unpaid_rows
