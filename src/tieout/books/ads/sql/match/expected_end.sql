-- step:  expected_end
-- in:    window_expected, request_line, sum_cell, request_choice, cell_choice
-- out:   expected_end(request_id, unit_id)
-- grain: one row per (request_id)
-- why:   each expected request ends in exactly one unit: its own, or the sum of its day and unit
select
  request_id,
  case
    when r.request_id is not null or c.name is not null then 'request:' || request_id
    when is_paid or s.app_id is not null
      then 'cell:' || cell_name(event_date, network, app_id, ad_unit_id, country, format)
    else 'unpaid:' || cell_name(event_date, network, app_id, ad_unit_id, country, format)
  end as unit_id
from window_expected e
left join (select request_id from request_line where place = 1) r using (request_id)
left join (select name from request_choice) c on c.name = e.request_id
left join sum_cell s using (event_date, network, app_id, ad_unit_id, country, format)
