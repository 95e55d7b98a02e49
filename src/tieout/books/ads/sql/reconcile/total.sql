-- step:  total
-- in:    window_unit, unit_part
-- out:   total(currency, expected_micros, reported_micros, expected_rows, reported_rows, missing_rows, timing, missing, rate, ivt, overpay, duplicate, unexpected, settled, review)
-- grain: one row per (currency)
-- why:   the sums on which the rules are judged, whole periods at a time
with
side as (
  select
    currency, sum(expected_micros) as expected_micros, sum(reported_micros) as reported_micros,
    cast(sum(expected_rows) as bigint) as expected_rows, cast(sum(reported_rows) as bigint) as reported_rows
  from window_unit
  group by currency
),
part as (
  select
    currency, cast(sum(impressions) as bigint) as missing_rows, sum(micros) filter (part = 'timing') as timing,
    sum(micros) filter (part = 'missing') as missing, sum(micros) filter (part = 'rate') as rate,
    sum(micros) filter (part = 'ivt') as ivt, sum(micros) filter (part = 'overpay') as overpay,
    sum(micros) filter (part = 'duplicate') as duplicate, sum(micros) filter (part = 'unexpected') as unexpected,
    sum(micros) filter (part = 'settled') as settled, sum(micros) filter (part = 'review') as review
  from unit_part
  group by currency
),
every_currency as (select currency from side union select 'USD')
select
  currency, coalesce(expected_micros, 0) as expected_micros, coalesce(reported_micros, 0) as reported_micros,
  coalesce(expected_rows, 0) as expected_rows, coalesce(reported_rows, 0) as reported_rows,
  coalesce(missing_rows, 0) as missing_rows, coalesce(timing, 0) as timing, coalesce(missing, 0) as missing,
  coalesce(rate, 0) as rate, coalesce(ivt, 0) as ivt, coalesce(overpay, 0) as overpay,
  coalesce(duplicate, 0) as duplicate, coalesce(unexpected, 0) as unexpected, coalesce(settled, 0) as settled,
  coalesce(review, 0) as review
from every_currency
left join side using (currency)
left join part using (currency)
