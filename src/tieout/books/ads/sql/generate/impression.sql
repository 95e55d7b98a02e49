-- step:  impression
-- in:    world, world_day, pick, unit_dim, country_dim, network_day
-- out:   impression(request_id, receipt_us, event_us, network, app_id, ad_unit_id, placement_id, format, country, currency,
--        original_micros, usd_micros, fx_rate_nanos, rate_nanos, viewable_ppm, late_lag, shift_us)
-- form:  view
-- why:   every impression of a day is a pure function of its number, so that a day of any size streams through memory and
--        comes out the same each time. Prices differ by unit, days by their rate
with
numbered as (
  select
    i,
    hash(i, d.day_no, w.seed) as h,
    hash(i, w.seed, d.day_no) as g
  from range(getvariable('per_day')::bigint) t(i)
  cross join world_day d
  cross join world w
),
placed as (
  select
    n.*,
    p.network_no,
    ((h >> 10) % 1048573) % w.units as unit_no,
    least((h >> 30) % w.countries, (g >> 30) % w.countries) as country_no
  from numbered n
  join pick p on p.slot = (n.h % 1000)
  cross join world w
),
priced as (
  select
    p.*,
    u.network,
    u.app_id,
    u.ad_unit_id,
    u.placement_id,
    u.format,
    c.country,
    k.currency,
    k.rate_nanos,
    k.fx_rate_nanos,
    k.shift_us,
    if(k.late_lag > 0 and (p.h >> 52) % 8 = 0, k.late_lag, 0) as late_lag,
    greatest(
      1, (u.price_micros * (500 + ((p.g >> 12) % 1001)::bigint) // 1000)::hugeint * 1000000000 // k.base_nanos
    )::bigint as original_micros,
    d.day_us + (p.g % 86390000000)::bigint as receipt_us,
    1 + (p.h % 1999999)::bigint as wait_us,
    if((p.g >> 40) % 10 < 7, 1000000, 0)::bigint as viewable_ppm,
    d.label
  from placed p
  cross join world_day d
  join unit_dim u on u.network_no = p.network_no and u.unit_no = p.unit_no
  join country_dim c on c.country_no = p.country_no
  join network_day k on k.network_no = p.network_no and k.day_no = d.day_no
)
select
  'r' || label || '-' || i as request_id,
  receipt_us,
  receipt_us + wait_us + late_lag * 86400000000 as event_us,
  network,
  app_id,
  ad_unit_id,
  placement_id,
  format,
  country,
  currency,
  original_micros,
  ((original_micros::hugeint * fx_rate_nanos + 500000000) // 1000000000)::bigint as usd_micros,
  fx_rate_nanos,
  rate_nanos,
  viewable_ppm,
  late_lag,
  shift_us
from priced
