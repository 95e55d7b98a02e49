-- step:  viewability_rule
-- in:    measured, stated_line, run
-- out:   viewability_rule(kind, currency, outcome, reason_code, confidence, measured_e9, threshold_e9, reason)
-- grain: one row per (kind)
-- why:   our share of viewable impressions against theirs, weighted by impressions; below 10,000 of them chance alone
--        moves it
with
ours as (select requests as n, ppm from measured),
theirs as (
  select coalesce(sum(impressions), 0) as n, coalesce(sum(viewable_ppm::hugeint * impressions), 0) as ppm
  from stated_line, run
  where viewable_ppm is not null and event_date >= first_day
),
judged as (
  select
    ours.n as our_n, theirs.n as their_n, abs(ours.ppm * theirs.n - theirs.ppm * ours.n) as apart,
    ours.n::hugeint * theirs.n * 1000000 as base, viewability_e12,
    case
      when ours.n = 0 then 'no expected row tells of viewability'
      when theirs.n = 0 then 'no statement line tells of viewability'
      when theirs.n < least_viewable then 'fewer than ' || least_viewable || ' impressions tell of viewability'
      else ''
    end as reason
  from ours, theirs, run
)
select
  'viewability_gap' as kind, 'USD' as currency,
  case
    when reason <> '' then 'not_computable'
    when apart * 1000000000000 > base * viewability_e12 then 'delta'
    else 'within'
  end as outcome,
  'viewability_gap_pp' as reason_code, cast(0.6 as decimal(3, 2)) as confidence,
  cast(if(base = 0, null, apart * 1000000000 // base) as bigint) as measured_e9,
  cast(viewability_e12 // 1000 as bigint) as threshold_e9, reason
from judged
