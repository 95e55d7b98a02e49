-- step:  mixed_sign
-- in:    ungrouped_expected, ungrouped_reported
-- out:   mixed_sign(side)
-- grain: one row per (side)
-- empty: when ungrouped_expected and ungrouped_reported
-- types: varchar
-- why:   the sides whose rows left over have amounts of both signs: on another no booking is reversed
select side
from (
  select 'ours' as side, amount_micros from ungrouped_expected
  union all
  select 'theirs', amount_micros from ungrouped_reported
)
group by side
having min(amount_micros) < 0 and max(amount_micros) > 0
