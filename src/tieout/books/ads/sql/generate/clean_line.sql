-- step:  clean_line
-- in:    event_said, unit_dim
-- out:   clean_line(network, app_id, ad_unit_id, country, format, currency, impressions, clicks, paid_micros, usd_micros,
--        ivt_micros, viewable_ppm, is_target)
-- grain: one row per (network, app_id, ad_unit_id, country, format)
-- why:   what the statements of the day say when nothing is wrong; the target units are those that faults of units meet.
--        A hundredth is invalid traffic on each day, however few its events are, so that no day stands out by chance
select
  e.network,
  e.app_id,
  e.ad_unit_id,
  e.country,
  e.format,
  e.currency,
  count(*)::bigint as impressions,
  count(*) filter (is_clicked)::bigint as clicks,
  sum(e.original_micros)::bigint as paid_micros,
  sum(e.usd_micros)::bigint as usd_micros,
  (sum(e.original_micros) // 100)::bigint as ivt_micros,
  (sum(e.viewable_ppm) // count(*))::bigint as viewable_ppm,
  u.is_target
from event_said e
join unit_dim u on u.network = e.network and u.ad_unit_id = e.ad_unit_id
group by all
