-- step:  offset_waiting
-- in:    unit_gap, judged_unit
-- out:   offset_waiting(unit_no, waiting_offset_micros, over_offset_micros)
-- grain: one row per (unit_no)
-- why:   a network that paid more than our events say, on a day on which auctions of its own wait for an event, has paid
--        for those: the one covers the other, in the order of the units, as far as it goes
with
running as (
  select
    unit_no, if(is_alone, waiting_micros, 0) as waits, over_micros as over,
    coalesce(sum(if(is_alone, waiting_micros, 0)) over before, 0) as waits_before,
    coalesce(sum(over_micros) over before, 0) as over_before,
    sum(if(is_alone, waiting_micros, 0)) over whole as waits_whole, sum(over_micros) over whole as over_whole
  from unit_gap
  join judged_unit using (unit_no)
  where over_micros > 0 or (is_alone and waiting_micros > 0)
  window
    before as (
      partition by is_near, event_date, network, currency
      order by unit_no rows between unbounded preceding and 1 preceding
    ),
    whole as (partition by is_near, event_date, network, currency)
)
select
  unit_no,
  cast(greatest(least(least(waits_whole, over_whole) - waits_before, waits), 0) as bigint) as waiting_offset_micros,
  cast(greatest(least(least(waits_whole, over_whole) - over_before, over), 0) as bigint) as over_offset_micros
from running
