-- step:  said_line
-- in:    clean_line, network_day, world_day
-- out:   said_line(network, app_id, ad_unit_id, country, format, currency, impressions, clicks, paid_micros, first_micros,
--        ivt_micros, viewable_ppm, copy)
-- why:   what the statements say: the clean lines with the faults that were planted on this day. first_micros is what the
--        first version of a restated statement says
with
lined as (
  select c.*, k.fault
  from clean_line c
  cross join world_day d
  join network_day k on k.network = c.network and k.day_no = d.day_no
  where k.fault <> 'missing_day' and not (k.fault = 'missing' and c.is_target)
),
changed as (
  select
    network,
    app_id,
    ad_unit_id || if(fault = 'rename' and is_target, '-v2', '') as ad_unit_id,
    country,
    format,
    currency,
    impressions,
    clicks,
    case fault
      when 'underpay' then paid_micros - paid_micros * 40 // 100
      when 'overpay' then paid_micros + paid_micros * 40 // 100
      else paid_micros
    end as paid_micros,
    case fault when 'restatement' then paid_micros - paid_micros // 10 end as first_micros,
    if(fault = 'ivt', ivt_micros + paid_micros * 40 // 100, ivt_micros) as ivt_micros,
    if(fault = 'viewability', greatest(viewable_ppm - 400000, 0), viewable_ppm) as viewable_ppm,
    fault,
    is_target
  from lined
)
select
  network, app_id, ad_unit_id, country, format, currency, impressions, clicks, paid_micros, first_micros, ivt_micros,
  viewable_ppm, copy
from changed
cross join range(2) r(copy)
where copy = 0 or (fault = 'duplicate' and is_target)
union all
select
  network, 'com.unknown.app', network || '-unknown', 'US', 'banner', currency, (sum(impressions) // 10)::bigint, 0,
  (sum(paid_micros) // 10)::bigint, null, 0, 700000, 0
from lined
where fault = 'unexpected'
group by network, currency
