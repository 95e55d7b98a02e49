-- query: ageing
-- in:    delta, $currency, $as_of
-- out:   bucket, items, less_micros, more_micros
-- grain: one row per bucket
-- why:   what was reported too little (less) and too much (more) must not cancel out inside a bucket
select
  case
    when day is null then 'No date'
    when day > $as_of::date then 'Later'
    when $as_of::date - day <= 1 then '0-1'
    when $as_of::date - day <= 7 then '2-7'
    when $as_of::date - day <= 30 then '8-30'
    when $as_of::date - day <= 90 then '31-90'
    else 'Over 90'
  end as bucket,
  count(*) as items,
  coalesce(sum(amount_micros) filter (amount_micros > 0), 0) as less_micros,
  coalesce(sum(amount_micros) filter (amount_micros < 0), 0) as more_micros
from delta
where currency = $currency
group by bucket
order by bucket
