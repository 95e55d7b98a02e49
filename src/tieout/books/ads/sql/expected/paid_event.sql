-- step:  paid_event
-- in:    revenue_event
-- out:   paid_event(request_id, event_us, network, app_id, ad_unit_id, format, country, revenue_usd_micros, viewable_ppm)
-- form:  scan
-- why:   an event pays for a request if it brought money within the period
select request_id, event_us, network, app_id, ad_unit_id, format, country, revenue_usd_micros, viewable_ppm
from revenue_event
where event_us >= getvariable('start_us') and event_us < getvariable('end_us') and revenue_usd_micros > 0
