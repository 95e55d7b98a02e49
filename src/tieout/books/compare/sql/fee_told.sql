-- step:  fee_told
-- in:    infer_fee_ours, infer_fee_theirs
-- out:   fee_told(differing, equal, explained)
-- grain: one row
-- why:   a fee is a cause of a gap only where the gap is the fee. Of the rows (or groups) that a key ties: on how many the
--        stated fees differ, and of those on how many the amounts are equal all the same, so that both are before or both
--        after the fee, and on how many ours less theirs is just the change in fees
with
gap as (
  select o.amount - t.amount as amount, coalesce(t.fee, 0) - coalesce(o.fee, 0) as fee_change
  from infer_fee_ours o
  join infer_fee_theirs t using (key)
  where o.amount is not null and t.amount is not null
)
select
  count(*) filter (fee_change <> 0) as differing,
  count(*) filter (fee_change <> 0 and amount = 0) as equal,
  count(*) filter (fee_change <> 0 and amount = fee_change) as explained
from gap
