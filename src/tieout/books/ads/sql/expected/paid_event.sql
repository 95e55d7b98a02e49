-- step:  paid_event
-- in:    revenue_event, request_receipt, run
-- out:   paid_event(request_id, event_us, network, app_id, ad_unit_id, format, country, revenue_usd_micros, viewable_ppm)
-- why:   an event pays for a request if it brought money within the period
select request_id, event_us, network, app_id, ad_unit_id, format, country, revenue_usd_micros, viewable_ppm
from revenue_event, run
where
  event_us >= start_us and event_us < end_us and revenue_usd_micros > 0
  and request_id in (select request_id from request_receipt)
