-- step:  unit_part
-- in:    unit_gap, offset_waiting
-- out:   unit_part(unit_id, currency, part, micros, impressions)
-- grain: one row per (unit_id, currency, part)
-- why:   the parts of each difference, one a row: positive where we expect more than was reported. What waits within the
--        days of grace is timing, afterwards it is missing; so is what no statement names
with
settled as (
  select
    g.* exclude (waiting_micros, over_micros), g.waiting_micros - coalesce(o.waiting_offset_micros, 0) as waiting_micros,
    g.over_micros - coalesce(o.over_offset_micros, 0) as over_micros
  from unit_gap g
  left join offset_waiting o using (unit_id, currency)
),
wide as (
  select
    unit_id, currency,
    if(is_late, 0, waiting_micros) + if(is_late or not is_alone, 0, lost_micros) as timing,
    if(is_late, waiting_micros, 0) + if(is_late or not is_alone, lost_micros, 0) as missing,
    if(is_late and waiting_micros > 0, waiting_rows, 0) + if(is_late or not is_alone, lost_rows, 0) as missing_rows,
    price_micros - ivt_micros as rate, ivt_micros as ivt, -over_micros as overpay, -duplicate_micros as duplicate,
    -unexpected_micros as unexpected, review_micros as review
  from settled
)
select unit_id, currency, part, micros, if(part = 'missing', missing_rows, 0) as impressions
from (
  select
    unit_id, currency, missing_rows,
    unnest(['timing', 'missing', 'rate', 'ivt', 'overpay', 'duplicate', 'unexpected', 'review']) as part,
    unnest([timing, missing, rate, ivt, overpay, duplicate, unexpected, review]) as micros
  from wide
)
where micros <> 0 or (part = 'missing' and missing_rows > 0)
