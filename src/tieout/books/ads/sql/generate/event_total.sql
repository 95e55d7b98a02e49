-- step:  event_total
-- in:    own_event, network_day
-- out:   event_total(network, day_no, events, usd_micros, shifted_events, shifted_micros, shifted_usd_micros, fx_usd_micros)
-- grain: one row per (network, day_no)
-- why:   the amounts of faults that lie in the events of a day: what a shifted clock moved to the day before, and what a
--        wrong rate made of the dollars
select
  e.network,
  k.day_no,
  count(*)::bigint as events,
  sum(e.revenue_usd_micros)::bigint as usd_micros,
  (count(*) filter (is_shifted))::bigint as shifted_events,
  coalesce(sum(e.original_micros) filter (is_shifted), 0)::bigint as shifted_micros,
  coalesce(sum(e.revenue_usd_micros) filter (is_shifted), 0)::bigint as shifted_usd_micros,
  sum(e.revenue_usd_micros - (e.original_micros::hugeint * k.rate_nanos + 500000000) // 1000000000)::bigint
    as fx_usd_micros
from (
  select o.*, n.day_no, n.rate_nanos, (o.event_us + n.shift_us) // 86400000000 < n.day_us // 86400000000 as is_shifted
  from own_event o
  join network_day n on n.network = o.network and n.day_us <= o.event_us and o.event_us < n.day_us + 86400000000
) e
join network_day k on k.network = e.network and k.day_no = e.day_no
group by e.network, k.day_no
