-- step:  fx_rate
-- in:    rate_wanted, revenue_event, ecb_rate
-- out:   fx_rate(day, currency, usd_nanos, source)
-- grain: one row per (day, currency)
-- form:  fact
-- why:   our own events say what a currency was worth on a day (the median, where they say several things); where
--        none does the European Central Bank's last rate counts, for it publishes none on weekends and holidays
with
said as (
  select day_no, upper(currency) as currency, nanos, sum(events) as events
  from (
    select event_us // 86400000000 as day_no, currency, fx_rate_nanos as nanos, count(*) as events
    from revenue_event
    where
      fx_rate_nanos > 0 and event_us >= getvariable('rates_from_us') and event_us < getvariable('rates_end_us')
    group by all
  )
  where upper(currency) in (select currency from rate_wanted)
  group by all
),
placed as (
  select
    day_no, currency, nanos, sum(events) over (partition by day_no, currency order by nanos) as upto,
    sum(events) over (partition by day_no, currency) as events
  from said
),
own as (
  select
    date '1970-01-01' + day_no::integer as day, currency, min(nanos) filter (upto * 2 >= events) as usd_nanos
  from placed
  group by day_no, currency
),
published as (
  select w.day, w.currency, arg_max(e.usd_nanos, e.day) as usd_nanos
  from rate_wanted w
  join ecb_rate e on e.currency = w.currency and e.day <= w.day and e.day >= w.day - 7
  group by all
)
select
  w.day, w.currency, coalesce(o.usd_nanos, p.usd_nanos) as usd_nanos,
  if(o.usd_nanos is null, 'ecb', 'own') as source
from rate_wanted w
left join own o using (day, currency)
left join published p using (day, currency)
where coalesce(o.usd_nanos, p.usd_nanos) is not null
order by day, currency
