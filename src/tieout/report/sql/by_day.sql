-- query: by_day
-- in:    daily, $currency, $points
-- out:   bin, start, delta_micros
-- grain: one row per start
-- why:   a picture bears about a hundred bars, so long spans are summed by week, month or year; days without a
--        difference are left out, and only the latest $points bars are kept
with
span as (
  select date_diff('day', min(day), max(day)) as days from daily
),
binned as (
  select
    case when days <= 92 then 'day' when days <= 700 then 'week' when days <= 3600 then 'month' else 'year' end as bin,
    cast(date_trunc(bin, day) as date) as start,
    delta_micros
  from daily, span
  where currency = $currency and day is not null
)
select bin, start, sum(delta_micros) as delta_micros
from binned
group by bin, start
having sum(delta_micros) <> 0
order by start desc
limit $points
