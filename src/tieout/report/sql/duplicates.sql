-- query: duplicates
-- in:    unmatched_ours, unmatched_theirs, $limit
-- out:   side, row_no, amount_micros, currency, day, ref, text
-- grain: one row per (side, row_no)
-- why:   a duplicate is shown with its row so that it can be struck out at its source
with
duplicate as (
  select 'ours' as side, ours_row as row_no, amount_micros, currency, day, ref, text
  from unmatched_ours
  where reason_code = 'duplicate'
  union all
  select 'theirs', theirs_row, amount_micros, currency, day, ref, text
  from unmatched_theirs
  where reason_code = 'duplicate'
)
from duplicate
order by abs(amount_micros::hugeint) desc nulls last, side, row_no
limit $limit
