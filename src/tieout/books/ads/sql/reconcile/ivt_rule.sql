-- step:  ivt_rule
-- in:    ivt_day, run
-- out:   ivt_rule(kind, currency, scope, outcome, reason_code, confidence, measured_e9, threshold_e9, reason)
-- grain: one row per (kind, scope)
-- why:   the share of invalid traffic stands out when it is above what 95 of 100 days before had at most, and the band.
--        Where it does not over all networks, one of them may still stand out by itself. Shares of days are cut after
--        twelve places; the period's is compared as a quotient
with
rated as (
  select
    scope, if(paid <= 0, 0::hugeint, ivt * 1000000000000 // paid) as rate_e12,
    row_number() over (
      partition by scope order by if(paid <= 0, 0::hugeint, ivt * 1000000000000 // paid), event_date
    ) as place,
    count(*) over (partition by scope) as days
  from ivt_day
  where not is_window
),
base as (select scope, min(rate_e12) filter (place * 100 >= days * 95) as p95_e12 from rated group by scope),
now as (select scope, sum(ivt) as ivt, sum(paid) as paid from ivt_day where is_window group by scope),
every_scope as (select '' as scope union select scope from now),
judged as (
  select
    scope, base.scope is not null as has_base, now.scope is not null as has_window, ivt, paid,
    p95_e12 + ivt_band_e12 as limit_e12,
    coalesce(paid > 0 and ivt * 1000000000000 > paid * (p95_e12 + ivt_band_e12), false) as is_delta
  from every_scope
  left join base using (scope)
  left join now using (scope)
  cross join run
)
select
  'ivt_outlier' as kind, 'USD' as currency, scope,
  case when not has_window or not has_base then 'not_computable' when is_delta then 'delta' else 'within' end as outcome,
  'ivt_p95_band_exceeded' as reason_code, cast(0.6 as decimal(3, 2)) as confidence,
  cast(if(paid > 0, ivt * 1000000000 // paid, if(has_window, 0, null)) as bigint) as measured_e9,
  cast(limit_e12 // 1000 as bigint) as threshold_e9,
  case
    when not has_window then 'no statement line of the window tells of invalid traffic'
    when not has_base then 'no statement line of the 30 days before tells of invalid traffic'
    else ''
  end as reason
from judged
where scope = '' or (is_delta and not (select is_delta from judged where scope = ''))
