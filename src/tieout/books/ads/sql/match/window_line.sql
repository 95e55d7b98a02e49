-- step:  window_line
-- in:    statement_line, run
-- out:   window_line(line_no, statement_id, load_id, artifact_id, row_no, event_date, network, app_id, ad_unit_id, country, format, currency, impressions, clicks, paid_micros, ivt_micros, viewable_ppm, request_id)
-- grain: one row per (line_no)
-- why:   what networks reported for the days of the period, numbered by where each line came from
select
  row_number() over (order by lower(network), load_id, artifact_id, row_no, statement_id) as line_no,
  statement_id, load_id, artifact_id, row_no, event_date, lower(network) as network, coalesce(app_id, '') as app_id,
  coalesce(ad_unit_id, '') as ad_unit_id, coalesce(upper(country), '') as country,
  coalesce(lower(format), '') as format, upper(currency) as currency, impressions, clicks, paid_micros, ivt_micros,
  viewable_ppm, nullif(request_id, '') as request_id
from statement_line, run
where event_date >= first_day and event_date < end_day
