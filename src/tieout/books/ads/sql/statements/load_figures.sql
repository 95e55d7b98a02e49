-- step:  load_figures
-- in:    read_cell
-- out:   load_figures(currency, lines, first_day, last_day, impressions, clicks, paid_micros, ivt_micros, rounded_rows,
--        rounded_away)
-- grain: one row per (currency)
-- why:   what a load says in all, for a person to hold against the network's own totals; a paid amount with more than six
--        decimals is rounded to micros, and what that took away in all is told
select
  currency,
  count(*) as lines,
  min(event_date) as first_day,
  max(event_date) as last_day,
  sum(impressions)::hugeint as impressions,
  sum(clicks)::hugeint as clicks,
  sum(paid_micros)::hugeint as paid_micros,
  sum(ivt_micros)::hugeint as ivt_micros,
  count(*) filter (paid <> cast(paid_micros as decimal(19, 0)) * 0.000001::decimal(7, 6)) as rounded_rows,
  coalesce(sum(paid - cast(paid_micros as decimal(19, 0)) * 0.000001::decimal(7, 6)), 0)::decimal(38, 12) as rounded_away
from read_cell
where len(refusals) = 0
group by currency
order by currency
