-- step:  event_said
-- in:    day_event, network_day, world_day
-- out:   event_said(network, app_id, ad_unit_id, country, format, currency, original_micros, usd_micros, viewable_ppm,
--        is_clicked)
-- form:  view
-- why:   the events that the networks put on this day: those of the day itself, but for what a shifted clock puts on the
--        day before, and what it takes from the day after
select
  e.network,
  e.app_id,
  e.ad_unit_id,
  e.country,
  e.format,
  e.currency,
  e.original_micros,
  e.revenue_usd_micros as usd_micros,
  e.viewable_ppm,
  hash(e.request_id, 1) % 100 = 0 as is_clicked
from day_event e
cross join world_day d
join network_day k on k.network = e.network and k.day_no = d.day_no + if(e.event_us >= d.day_us + 86400000000, 1, 0)
where (e.event_us + k.shift_us) // 86400000000 = d.day_us // 86400000000
