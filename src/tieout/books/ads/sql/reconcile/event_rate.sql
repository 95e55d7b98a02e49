-- step:  event_rate
-- in:    revenue_event, run
-- out:   event_rate(currency, is_window, nanos, events)
-- grain: one row per (currency, is_window, nanos)
-- why:   rates repeat for a day and more, so events are counted by rate
select upper(currency) as currency, event_us >= start_us as is_window, fx_rate_nanos as nanos, count(*) as events
from revenue_event, run
where
  event_us >= start_us - baseline_days * 86400000000 and event_us < end_us and fx_rate_nanos > 0
  and upper(currency) <> 'USD'
group by all
