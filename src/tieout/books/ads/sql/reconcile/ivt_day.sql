-- step:  ivt_day
-- in:    stated_line, fx_rate, run
-- out:   ivt_day(event_date, scope, is_window, ivt, paid)
-- grain: one row per (event_date, scope)
-- why:   invalid traffic and what it was taken from, by day, of all networks
--        together (no scope) and of each; a line that does not tell of it says nothing about it
select
  event_date, coalesce(network, '') as scope, event_date >= (select first_day from run) as is_window,
  sum(ivt_micros::hugeint * nanos) // 1000000000 as ivt, sum(paid_micros::hugeint * nanos) // 1000000000 as paid
from (
  select l.*, if(l.currency = 'USD', 1000000000, f.usd_nanos) as nanos
  from stated_line l
  left join fx_rate f on f.day = l.event_date and f.currency = l.currency
  where ivt_micros is not null
)
where nanos is not null
group by grouping sets ((event_date), (event_date, network))
