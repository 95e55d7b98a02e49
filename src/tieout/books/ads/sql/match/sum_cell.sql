-- step:  sum_cell
-- in:    expected_cell, reported_cell
-- out:   sum_cell(event_date, network, app_id, ad_unit_id, country, format)
-- grain: one row per (event_date, network, app_id, ad_unit_id, country, format)
-- why:   sums of the same day and unit are about the same impressions, whatever they come to
select event_date, network, app_id, ad_unit_id, country, format
from expected_cell
join reported_cell using (event_date, network, app_id, ad_unit_id, country, format)
