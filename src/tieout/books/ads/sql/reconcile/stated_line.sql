-- step:  stated_line
-- in:    statement_line, run
-- out:   stated_line(event_date, network, currency, paid_micros, ivt_micros, viewable_ppm, impressions)
-- why:   lines of the period and of the days before it that tell of invalid traffic or of viewability
select
  event_date, lower(network) as network, upper(currency) as currency, paid_micros, ivt_micros, viewable_ppm,
  impressions
from statement_line, run
where
  event_date >= first_day - baseline_days and event_date < end_day
  and (ivt_micros is not null or viewable_ppm is not null)
