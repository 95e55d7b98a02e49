-- query: largest_deltas
-- in:    delta, unmatched_ours, unmatched_theirs, $currency, $limit
-- out:   the columns of delta, then ref and text of the one side that has the row alone
-- grain: one row per delta_id
-- why:   ranked inside one currency only: amounts of different currencies have no order
with
top as (
  from delta
  where currency = $currency
  order by abs(amount_micros::hugeint) desc nulls last, ours_row nulls last, theirs_row, delta_id
  limit $limit
)
select
  top.*,
  coalesce(ours.ref, theirs.ref) as ref,
  coalesce(ours.text, theirs.text) as text
from top
left join (from unmatched_ours where ours_row in (select ours_row from top)) ours on ours.ours_row = top.ours_row
left join (from unmatched_theirs where theirs_row in (select theirs_row from top)) theirs on theirs.theirs_row = top.theirs_row
order by abs(top.amount_micros::hugeint) desc nulls last, top.ours_row nulls last, top.theirs_row, top.delta_id
