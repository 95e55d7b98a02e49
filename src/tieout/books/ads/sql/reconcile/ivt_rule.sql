-- step:  ivt_rule
-- in:    ivt_day, run
-- out:   ivt_rule(kind, currency, outcome, reason_code, confidence, measured_e9, threshold_e9, reason)
-- grain: one row per (kind)
-- why:   the share of invalid traffic stands out when it is above what 95 of 100 days before had at most, and the band.
--        Shares of days are cut after twelve places; the period's is compared as a quotient
with
rated as (
  select
    if(paid <= 0, 0::hugeint, ivt * 1000000000000 // paid) as rate_e12,
    row_number() over (order by if(paid <= 0, 0::hugeint, ivt * 1000000000000 // paid)) as place,
    count(*) over () as days
  from ivt_day
  where not is_window
),
base as (select min(rate_e12) filter (place * 100 >= days * 95) as p95_e12, count(*) as days from rated),
now as (select sum(ivt) as ivt, sum(paid) as paid, count(*) as days from ivt_day where is_window),
judged as (
  select
    base.days as base_days, now.days as window_days, p95_e12 + ivt_band_e12 as limit_e12, ivt, paid,
    if(paid > 0, ivt * 1000000000000 > paid * (p95_e12 + ivt_band_e12), false) as is_delta
  from base, now, run
)
select
  'ivt_outlier' as kind, 'USD' as currency,
  case
    when window_days = 0 or base_days = 0 then 'not_computable' when is_delta then 'delta' else 'within'
  end as outcome,
  'ivt_p95_band_exceeded' as reason_code, cast(0.6 as decimal(3, 2)) as confidence,
  cast(if(paid > 0, ivt * 1000000000 // paid, if(window_days > 0, 0, null)) as bigint) as measured_e9,
  cast(limit_e12 // 1000 as bigint) as threshold_e9,
  case
    when window_days = 0 then 'no statement line of the window tells of invalid traffic'
    when base_days = 0 then 'no statement line of the 30 days before tells of invalid traffic'
    else ''
  end as reason
from judged
