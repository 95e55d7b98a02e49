-- step:  judged_unit
-- in:    window_unit, neighbour_unit
-- out:   judged_unit(unit_no, is_near, unit_id, currency, outcome, event_date, network, app_id, ad_unit_id, country, format, expected_rows, unpaid_rows, impressions, expected_micros, unpaid_micros, reported_micros, reported_rows, ivt_micros, is_late)
-- grain: one row per (unit_no)
-- why:   the units whose sides differ, those of the period and of the days around it: what one day lacks may have come
--        on another. Their numbers follow their names, so that units stand in the same order from wherever one looks
select
  row_number() over (
    order by
      unit_id, currency, outcome, expected_micros, reported_micros, unpaid_micros, expected_rows, unpaid_rows,
      impressions, ivt_micros, is_near
  ) as unit_no,
  *
from (
  select
    false as is_near, unit_id, currency, outcome, event_date, network, app_id, ad_unit_id, country, format,
    expected_rows, unpaid_rows, impressions, expected_micros, unpaid_micros, reported_micros, reported_rows,
    ivt_micros, is_late
  from window_unit
  union all
  select
    true, unit_id, currency, outcome, event_date, network, app_id, ad_unit_id, country, format, expected_rows,
    unpaid_rows, impressions, expected_micros, unpaid_micros, reported_micros, reported_rows,
    coalesce(ivt_micros, 0), false
  from neighbour_unit
)
where expected_micros <> reported_micros
