-- step:  moved
-- in:    movable, moved_day
-- out:   moved(unit_no, is_short, impressions, priced_micros, moved_micros)
-- grain: one row per (unit_no)
-- why:   what has moved of a day is of its units in their order, as far as it goes
with
standing as (
  select
    m.*, d.impressions as day_impressions, d.priced_micros as day_priced, d.moved_micros as day_moved,
    coalesce(sum(m.impressions) over earlier, 0) as impressions_before, coalesce(sum(m.micros) over earlier, 0) as micros_before
  from movable m
  join moved_day d using (is_short, key_no, day_no)
  window earlier as (
    partition by is_short, key_no, day_no order by unit_no rows between unbounded preceding and 1 preceding
  )
),
priced as (
  select *, cast(greatest(least(day_priced - micros_before, micros), 0) as bigint) as priced_micros from standing
)
select
  unit_no, is_short,
  cast(greatest(least(day_impressions - impressions_before, impressions), 0) as bigint) as impressions, priced_micros,
  cast(greatest(least(day_moved - least(micros_before, day_priced), priced_micros), 0) as bigint) as moved_micros
from priced
