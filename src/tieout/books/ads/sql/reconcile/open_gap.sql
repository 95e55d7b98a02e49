-- step:  open_gap
-- in:    unit_gap, offset_waiting
-- out:   open_gap(unit_no, is_late, is_alone, waiting_micros, waiting_rows, lost_micros, lost_rows, price_micros, ivt_micros, over_micros, over_rows, duplicate_micros, unexpected_micros, unexpected_rows, review_micros)
-- grain: one row per (unit_no)
-- why:   what is left of each difference when those of one day and network have covered each other; requests that wait go
--        with their money, a part of one being one
select
  unit_no, is_late, is_alone, waiting_micros - coalesce(waiting_offset_micros, 0) as waiting_micros,
  if(
    waiting_offset_micros > 0,
    cast(
      (waiting_rows::hugeint * (waiting_micros - waiting_offset_micros) + waiting_micros - 1) // waiting_micros as bigint
    ),
    waiting_rows
  ) as waiting_rows,
  lost_micros, lost_rows, price_micros, ivt_micros, over_micros - coalesce(over_offset_micros, 0) as over_micros,
  if(
    over_offset_micros > 0,
    cast(over_rows::hugeint * (over_micros - over_offset_micros) // over_micros as bigint),
    over_rows
  ) as over_rows,
  duplicate_micros, unexpected_micros, unexpected_rows, review_micros
from unit_gap
left join offset_waiting using (unit_no)
