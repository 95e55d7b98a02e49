-- step:  truth
-- in:    planted, network_day, day_totals, event_totals, late_totals, own_totals, unit_truths
-- out:   truth(fault_no, fault, kind, network, window_from, window_to, currency, amount_micros, amount_usd_micros,
--        impressions, lag_days, why)
-- grain: one row per (fault_no)
-- form:  fact
-- why:   every fault that was planted, with the delta that it must become when its day is judged by itself (with the
--        thresholds as they come), and its exact amount in the currency of the statement and in dollars. Where it becomes
--        none ('') or another, why says so: what was restated is right again, what was renamed is the same money, and what
--        is too small stays below its threshold. The network * is all of them
with
worth as (
  select
    fault_no, cast(abs(sum(amount_usd_micros)) as bigint) as usd_micros, cast(abs(sum(impressions)) as bigint) as impressions
  from unit_truths
  group by fault_no
),
invalid as (
  select
    t.network, t.day_no, sum(t.said_ivt_micros::hugeint * k.fx_rate_nanos) as ivt,
    sum(t.said_micros::hugeint * k.fx_rate_nanos) as paid
  from day_totals t
  join network_day k using (network, day_no)
  group by grouping sets ((t.day_no), (t.day_no, t.network))
),
invalid_before as (
  select p.fault_no, n.network, n.ivt / n.paid as share, quantile_disc(b.ivt / b.paid, 0.95) as p95
  from planted p
  join invalid n on n.day_no = p.day_no and coalesce(n.network, p.network) = p.network
  join invalid b on b.network is not distinct from n.network and b.day_no < n.day_no and b.day_no >= n.day_no - 30
  where p.fault = 'ivt' and n.paid > 0 and b.paid > 0
  group by all
),
measured as (
  select
    p.*,
    k.currency in (
      select b.currency from network_day b where b.day_no = p.day_no and b.network <> p.network
    ) as is_shared,
    p.fault = 'ivt' and p.fault_no not in (select fault_no from invalid_before where share > p95 + 0.02) as is_usual,
    k.currency,
    k.day,
    k.rate_nanos,
    o.receipts as day_receipts,
    o.usd_micros as day_usd_micros,
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
    case p.fault when 'fx' then e.fx_usd_micros else w.usd_micros end as usd_micros,
    case p.fault
      when 'rename' then t.target_impressions
      when 'viewability' then (select sum(a.clean_impressions) from day_totals a where a.day_no = p.day_no)
      else if(p.fault in ('missing', 'missing_day', 'duplicate', 'unexpected', 'timezone', 'late'), w.impressions, t.clean_impressions)
    end as impressions
  from planted p
  join network_day k on k.network = p.network and k.day_no = p.day_no
  join day_totals t on t.network = p.network and t.day_no = p.day_no
  join own_totals o on o.day_no = p.day_no
  left join event_totals e on e.network = p.network and e.day_no = p.day_no
  left join late_totals l on l.network = p.network and l.day_no = p.day_no
  left join worth w on w.fault_no = p.fault_no
),
judged as (
  select
    *, coalesce(usd_micros, 0)::hugeint * 50 > day_usd_micros as is_much_money,
    impressions::hugeint * 1000 > day_receipts::hugeint * 15 as is_many
  from measured
)
select
  fault_no,
  fault,
  case
    when kind in ('underpay', 'overpay') and not is_much_money then ''
    when kind = 'missing' and not is_many then if(is_much_money, 'underpay', '')
    when kind = 'viewability_gap' and impressions < 10000 then ''
    when is_usual then ''
    when amount_micros = 0 and kind not in ('fx_mismatch', 'viewability_gap') then ''
    else kind
  end as kind,
  if(is_everywhere, '*', network) as network,
  day as window_from,
  (day + 1)::date as window_to,
  currency,
  amount_micros::bigint as amount_micros,
  coalesce(usd_micros, (amount_micros::hugeint * rate_nanos + 500000000) // 1000000000)::bigint as amount_usd_micros,
  coalesce(impressions, 0)::bigint as impressions,
  lag_days,
  case
    when fault = 'restatement' then 'the statement that counts is right again'
    when fault = 'rename' then 'the same money under another name is found by likeness, or waits for a person'
    when amount_micros = 0 and kind not in ('fx_mismatch', 'viewability_gap') then 'it met no impression'
    when is_ambiguous
      then 'another fault of the network is so near that what comes on another day may be taken for it: timing_lag and'
        || ' missing of both may be exchanged, their sum holds'
    when fault = 'fx' and is_shared
      then 'another network pays in this currency: its lines of the day are held at the median rate of both'
    when kind in ('underpay', 'overpay') and not is_much_money then 'not more than 2% of what the day should bring'
    when kind = 'missing' and not is_many
      then 'not more than 1.5% of the impressions of the day, so that its money counts as underpaid'
    when is_usual then 'days before had as much invalid traffic, or the network is too small'
    when kind = 'viewability_gap' and impressions < 10000 then 'chance alone moves fewer than 10,000 impressions'
    else ''
  end as why
from judged
order by fault_no
