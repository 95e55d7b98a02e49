-- step:  truth
-- in:    planted, network_day, day_totals, event_totals, late_totals
-- out:   truth(fault_no, fault, kind, network, window_from, window_to, currency, amount_micros, amount_usd_micros,
--        impressions, lag_days)
-- grain: one row per (fault_no)
-- form:  fact
-- why:   every fault that was planted, with the delta that it must become ('' for none: what was restated is right again,
--        what was renamed is the same money) and its exact amount in the currency of the statement; in dollars at the
--        day's rate, or as the events have it. The network * is all of them
with
measured as (
  select
    p.*,
    k.currency,
    k.day,
    k.rate_nanos,
    case p.fault
      when 'underpay' then t.clean_micros - t.said_micros
      when 'overpay' then t.said_micros - t.clean_micros
      when 'missing' then t.clean_micros - t.said_micros
      when 'missing_day' then t.clean_micros
      when 'duplicate' then t.said_micros - t.clean_micros
      when 'unexpected' then t.said_micros - t.clean_micros
      when 'rename' then t.target_micros
      when 'restatement' then t.clean_micros - t.first_micros
      when 'ivt' then t.said_ivt_micros - t.clean_ivt_micros
      when 'timezone' then e.shifted_micros
      when 'late' then l.original_micros
      else 0
    end as amount_micros,
    case p.fault
      when 'timezone' then e.shifted_usd_micros
      when 'late' then l.usd_micros
      when 'fx' then e.fx_usd_micros
    end as usd_micros,
    case p.fault
      when 'missing' then t.clean_impressions - t.said_impressions
      when 'duplicate' then t.said_impressions - t.clean_impressions
      when 'unexpected' then t.said_impressions - t.clean_impressions
      when 'rename' then t.target_impressions
      when 'timezone' then e.shifted_events
      when 'late' then l.events
      when 'viewability' then (select sum(a.clean_impressions) from day_totals a where a.day_no = p.day_no)
      else t.clean_impressions
    end as impressions
  from planted p
  join network_day k on k.network = p.network and k.day_no = p.day_no
  join day_totals t on t.network = p.network and t.day_no = p.day_no
  left join event_totals e on e.network = p.network and e.day_no = p.day_no
  left join late_totals l on l.network = p.network and l.day_no = p.day_no
)
select
  fault_no,
  fault,
  case
    when fault = 'viewability' and impressions < 10000 then ''
    else kind
  end as kind,
  if(is_everywhere, '*', network) as network,
  day as window_from,
  (day + 1)::date as window_to,
  currency,
  amount_micros::bigint as amount_micros,
  coalesce(usd_micros, (amount_micros::hugeint * rate_nanos + 500000000) // 1000000000)::bigint as amount_usd_micros,
  impressions::bigint as impressions,
  lag_days
from measured
order by fault_no
