-- step:  window_unit
-- in:    unit, run
-- out:   window_unit(unit_id, currency, outcome, pass, event_date, network, app_id, ad_unit_id, country, format, expected_rows, unpaid_rows, impressions, expected_micros, unpaid_micros, reported_micros, reported_rows, ivt_micros, is_late)
-- why:   what the matching of the period held against each other; a payment is late once the days of grace are over
select
  unit_id, currency, outcome, pass, event_date, network, app_id, ad_unit_id, country, format, expected_rows,
  unpaid_rows, impressions, expected_micros, unpaid_micros, reported_micros, reported_rows,
  coalesce(ivt_micros, 0) as ivt_micros, as_of_day > event_date + grace_days as is_late
from unit, run
