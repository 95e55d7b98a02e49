-- step:  delta_unit
-- in:    unit_part, window_unit, rule
-- out:   delta_unit(kind, unit_id, currency, part, amount_micros, impressions, event_date, network, app_id, ad_unit_id, country, format, expected_micros, reported_micros)
-- grain: one row per (unit_id, currency, part)
-- form:  fact
-- why:   where each delta comes from: the request, the sum or the line, and how much of it; largest money first
with
emitted as (select kind, currency from rule where outcome = 'delta'),
kinded as (
  select
    p.*,
    case part
      when 'timing' then 'timing_lag'
      when 'missing' then if(('missing', p.currency) in (select (kind, currency) from emitted), 'missing', 'underpay')
      when 'rate' then 'underpay'
      when 'ivt' then 'underpay'
      else part
    end as kind
  from unit_part p
)
select
  k.kind, unit_id, currency, part, micros as amount_micros, k.impressions, event_date, network, app_id, ad_unit_id,
  country, format, expected_micros, reported_micros
from kinded k
join window_unit using (unit_id, currency)
semi join emitted e on e.kind = k.kind and e.currency = k.currency
order by kind, abs(amount_micros) desc, unit_id, currency, part
