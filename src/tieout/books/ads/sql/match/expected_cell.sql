-- step:  expected_cell
-- in:    open_expected
-- out:   expected_cell(event_date, network, app_id, ad_unit_id, country, format, expected_rows, micros, unpaid_rows, unpaid_micros)
-- grain: one row per (event_date, network, app_id, ad_unit_id, country, format)
-- why:   our side of the same sums, and how much of it no event has paid for
select
  event_date, network, app_id, ad_unit_id, country, format, count(*) as expected_rows,
  cast(sum(micros) as bigint) as micros, count(*) filter (not is_paid) as unpaid_rows,
  cast(coalesce(sum(micros) filter (not is_paid), 0) as bigint) as unpaid_micros
from open_expected
group by all
