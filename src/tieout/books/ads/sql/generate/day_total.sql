-- step:  day_total
-- in:    clean_line, said_line, network_day, world_day
-- out:   day_total(network, day_no, currency, clean_micros, said_micros, first_micros, clean_impressions, said_impressions,
--        clean_ivt_micros, said_ivt_micros, target_micros, target_impressions)
-- grain: one row per (network)
-- why:   how far the statements of a day are from the clean ones: the amounts of the planted faults
with
clean as (
  select
    network,
    sum(paid_micros)::bigint as paid_micros,
    sum(impressions)::bigint as impressions,
    sum(ivt_micros)::bigint as ivt_micros,
    coalesce(sum(paid_micros) filter (is_target), 0)::bigint as target_micros,
    coalesce(sum(impressions) filter (is_target), 0)::bigint as target_impressions
  from clean_line
  group by network
),
said as (
  select
    network,
    sum(paid_micros)::bigint as paid_micros,
    sum(coalesce(first_micros, paid_micros))::bigint as first_micros,
    sum(impressions)::bigint as impressions,
    sum(ivt_micros)::bigint as ivt_micros
  from said_line
  group by network
)
select
  k.network,
  k.day_no,
  k.currency,
  coalesce(c.paid_micros, 0) as clean_micros,
  coalesce(s.paid_micros, 0) as said_micros,
  coalesce(s.first_micros, 0) as first_micros,
  coalesce(c.impressions, 0) as clean_impressions,
  coalesce(s.impressions, 0) as said_impressions,
  coalesce(c.ivt_micros, 0) as clean_ivt_micros,
  coalesce(s.ivt_micros, 0) as said_ivt_micros,
  coalesce(c.target_micros, 0) as target_micros,
  coalesce(c.target_impressions, 0) as target_impressions
from network_day k
cross join world_day d
left join clean c using (network)
left join said s using (network)
where k.day_no = d.day_no
