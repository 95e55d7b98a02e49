-- step:  first_paid_event
-- in:    paid_event, repeated_event
-- out:   first_paid_event(request_id, event_us, network, app_id, ad_unit_id, format, country, revenue_usd_micros, viewable_ppm)
-- grain: one row per (request_id)
-- why:   the first paid event is what the request earned; later ones repeat it
with
ordered as (
  select
    *,
    row_number() over (
      partition by request_id
      order by event_us, network, app_id, ad_unit_id, format, country, revenue_usd_micros, viewable_ppm
    ) as place
  from paid_event
  where request_id in (from repeated_event)
)
from paid_event
where request_id not in (from repeated_event)
union all
select * exclude (place) from ordered where place = 1
