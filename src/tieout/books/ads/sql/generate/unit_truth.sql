-- step:  unit_truth
-- in:    clean_line, said_line, day_event, planted, network_day, world_day
-- out:   unit_truth(fault_no, event_date, network, app_id, ad_unit_id, country, format, amount_usd_micros, impressions)
-- grain: one row per (fault_no, event_date, network, app_id, ad_unit_id, country, format)
-- why:   where each fault about money lies and how much of it: what the events of a unit are worth less what its line says
--        in dollars, rounded once a line as it is when it is reconciled. Positive where less is said than it is worth
with
faulted as (
  select p.fault_no, p.fault, k.network, k.day, k.day_us, k.shift_us, k.fx_rate_nanos
  from planted p
  join network_day k on k.network = p.network and k.day_no = p.day_no
  join world_day d on d.day_no = p.day_no
),
said as (
  select
    s.* exclude (currency), fault_no, fault, day,
    cast((s.paid_micros::hugeint * fx_rate_nanos + 500000000) // 1000000000 as bigint) as said_usd_micros
  from said_line s
  join faulted using (network)
),
differing as (
  select
    f.fault_no, f.fault, f.day, network, c.app_id, c.ad_unit_id, c.country, c.format, s.network is null as is_absent,
    c.usd_micros - coalesce(said_usd_micros, 0) as micros, c.impressions - coalesce(s.impressions, 0) as impressions
  from clean_line c
  join faulted f using (network)
  left join (from said where copy = 0) s using (network, app_id, ad_unit_id, country, format)
),
shifted as (
  select
    fault_no, day, network, app_id, ad_unit_id, country, format, sum(revenue_usd_micros) as micros,
    count(*) as impressions
  from day_event
  join faulted using (network)
  where shift_us <> 0 and event_us >= day_us and event_us + shift_us < day_us
  group by all
)
select
  fault_no, day as event_date, network, app_id, ad_unit_id, country, format, cast(micros as bigint) as amount_usd_micros,
  cast(impressions as bigint) as impressions
from (
  select fault_no, day, network, app_id, ad_unit_id, country, format, micros, impressions
  from differing
  where
    case fault
      when 'underpay' then micros > 0
      when 'overpay' then micros < 0
      when 'missing' then is_absent
      when 'missing_day' then is_absent
      else false
    end
  union all
  select fault_no, day, network, app_id, ad_unit_id, country, format, -said_usd_micros, -impressions
  from said
  where (fault = 'duplicate' and copy > 0) or (fault = 'unexpected' and app_id = 'com.unknown.app')
  union all
  from shifted
)
