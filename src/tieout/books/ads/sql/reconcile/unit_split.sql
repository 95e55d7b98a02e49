-- step:  unit_split
-- in:    open_gap, moved, judged_unit
-- out:   unit_split(unit_id, currency, timing, missing, missing_rows, rate, ivt, overpay, duplicate, unexpected, settled, review)
-- grain: one row per (unit_id, currency)
-- why:   each difference of the period by what it is: positive where we expect more than was reported. What another day
--        brought is timing on the day that lacks it, and settles that on the day that has it. What waits within the days
--        of grace is timing too, afterwards it is missing; so is what no statement names
with
moved_each as (
  select
    o.*, if(is_short, m.priced_micros, 0) as short_micros, if(is_short, m.impressions, 0) as short_rows,
    if(is_short, m.moved_micros, 0) as came_micros, if(not is_short, m.priced_micros, 0) as surplus_micros,
    if(not is_short, m.moved_micros, 0) as settled_micros
  from open_gap o
  left join moved m using (unit_no)
),
taken as (
  select
    unit_no, is_alone, is_late, came_micros, settled_micros, over_micros, duplicate_micros, review_micros,
    ivt_micros as told_ivt_micros, waiting_micros - least(short_micros, waiting_micros) as waits,
    waiting_rows - least(short_rows, waiting_rows) as waits_rows,
    lost_micros - least(greatest(short_micros - waiting_micros, 0), lost_micros) as lost,
    lost_rows - least(greatest(short_rows - waiting_rows, 0), lost_rows) as lost_rows,
    price_micros - greatest(short_micros - waiting_micros - lost_micros, 0) + short_micros - came_micros as price,
    unexpected_micros - least(surplus_micros, unexpected_micros) as unexpected,
    least(surplus_micros, unexpected_micros) as known
  from moved_each
)
select
  unit_id, currency, came_micros + if(t.is_late, 0, waits) + if(t.is_late or not is_alone, 0, lost) as timing,
  if(t.is_late, waits, 0) + if(t.is_late or not is_alone, lost, 0) as missing,
  if(t.is_late and waits > 0, waits_rows, 0) + if(lost > 0 and (t.is_late or not is_alone), lost_rows, 0)
    as missing_rows,
  price - least(told_ivt_micros, price) as rate, least(told_ivt_micros, price) as ivt,
  -(over_micros + known - settled_micros) as overpay, -duplicate_micros as duplicate, -unexpected as unexpected,
  -settled_micros as settled, review_micros as review
from taken t
join judged_unit using (unit_no)
where not is_near
