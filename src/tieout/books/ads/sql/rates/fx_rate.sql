-- step:  fx_rate
-- in:    rate_wanted, revenue_event, ecb_rate
-- out:   fx_rate(day, currency, usd_nanos, source)
-- grain: one row per (day, currency)
-- form:  fact
-- why:   our own events say what a currency was worth on a day (the median, where they say several things); where
--        none does the European Central Bank's last rate counts, for it publishes none on weekends and holidays
with
own as (
  select
    cast(make_timestamp(event_us) as date) as day, upper(currency) as currency,
    quantile_disc(fx_rate_nanos, 0.5) as usd_nanos
  from revenue_event
  where
    fx_rate_nanos > 0 and upper(currency) in (select currency from rate_wanted)
    and event_us >= (select epoch_us(min(day)::timestamp) from rate_wanted)
    and event_us < (select epoch_us((max(day) + 1)::timestamp) from rate_wanted)
  group by all
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
