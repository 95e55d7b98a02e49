-- step:  rest_cell
-- in:    expected_cell, single_expected
-- out:   rest_cell(event_date, network, app_id, ad_unit_id, country, format, expected_rows, micros, unpaid_rows, unpaid_micros)
-- grain: one row per (event_date, network, app_id, ad_unit_id, country, format)
-- why:   what is left of our sums without the requests that lines were scored against
with
chosen as (
  select
    event_date, network, app_id, ad_unit_id, country, format, count(*) as chosen_rows, sum(micros) as chosen_micros,
    count(*) filter (not is_paid) as chosen_unpaid_rows,
    coalesce(sum(micros) filter (not is_paid), 0) as chosen_unpaid_micros
  from single_expected
  where not is_named
  group by all
)
select
  event_date, network, app_id, ad_unit_id, country, format,
  expected_rows - coalesce(chosen_rows, 0) as expected_rows,
  cast(micros - coalesce(chosen_micros, 0) as bigint) as micros,
  unpaid_rows - coalesce(chosen_unpaid_rows, 0) as unpaid_rows,
  cast(unpaid_micros - coalesce(chosen_unpaid_micros, 0) as bigint) as unpaid_micros
from expected_cell
left join chosen using (event_date, network, app_id, ad_unit_id, country, format)
where expected_rows > coalesce(chosen_rows, 0)
