-- step:  paid_event
-- in:    revenue_event
-- out:   paid_event(request_id, event_us, network, app_id, ad_unit_id, format, country, revenue_usd_micros, viewable_ppm)
-- form:  scan
-- why:   an event pays for a request if it brought money within the period. What repeats in most events is held as the
--        number of a word, which is a third of the work of holding it as text
select
  request_id, event_us, lower(network)::word_network as network, app_id::word_app_id as app_id,
  ad_unit_id::word_ad_unit_id as ad_unit_id, format::word_format as format, country::word_country as country,
  revenue_usd_micros, viewable_ppm
from revenue_event
where event_us >= getvariable('start_us') and event_us < getvariable('end_us') and revenue_usd_micros > 0
