-- step:  expected_end
-- in:    single_expected, rest_cell, sum_cell
-- out:   expected_end(unit_id, event_date, network, app_id, ad_unit_id, country, format, expected_rows, micros, unpaid_rows, unpaid_micros)
-- grain: one row per (unit_id)
-- why:   each expected request ends in exactly one unit: its own, or the sum of its day and unit; what no event has paid
--        for and no sum speaks of stands apart
with
rest as (
  select
    r.*, s.network is not null as is_summed,
    cell_name(r.event_date, r.network, r.app_id, r.ad_unit_id, r.country, r.format) as name
  from rest_cell r
  left join sum_cell s using (event_date, network, app_id, ad_unit_id, country, format)
)
select
  'request:' || request_id as unit_id, event_date, network, app_id, ad_unit_id, country, format,
  cast(1 as bigint) as expected_rows, micros, if(is_paid, 0, 1)::bigint as unpaid_rows,
  if(is_paid, 0, micros) as unpaid_micros
from single_expected
union all
select
  'cell:' || name, event_date, network, app_id, ad_unit_id, country, format,
  if(is_summed, expected_rows, expected_rows - unpaid_rows), if(is_summed, micros, micros - unpaid_micros),
  if(is_summed, unpaid_rows, 0), if(is_summed, unpaid_micros, 0)
from rest
where is_summed or expected_rows > unpaid_rows
union all
select
  'unpaid:' || name, event_date, network, app_id, ad_unit_id, country, format, unpaid_rows, unpaid_micros, unpaid_rows,
  unpaid_micros
from rest
where not is_summed and unpaid_rows > 0
