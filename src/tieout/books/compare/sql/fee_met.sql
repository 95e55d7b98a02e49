-- step:  fee_met
-- in:    infer_fee_ours, infer_fee_theirs
-- out:   fee_met(differing, equal, explained)
-- grain: one row
-- why:   the same where no key ties rows and one side states fees: how many of its rows with a fee have an amount that the
--        other side has too, as it stands (equal) or only with the fee given back, as it was before the fee (explained);
--        a row whose amount the other side has neither way tells nothing
with
stated as (
  select amount, fee, true as is_theirs from infer_fee_theirs where fee <> 0
  union all
  select amount, fee, false from infer_fee_ours where fee <> 0
),
other as (
  select distinct amount, true as is_theirs from infer_fee_ours where amount <> 0
  union
  select distinct amount, false from infer_fee_theirs where amount <> 0
),
met as (
  select
    exists (select 1 from other o where o.is_theirs = s.is_theirs and o.amount = s.amount) as is_equal,
    exists (select 1 from other o where o.is_theirs = s.is_theirs and o.amount = s.amount + s.fee) as is_before
  from stated s
  where amount is not null
)
select
  count(*) filter (is_equal or is_before) as differing,
  count(*) filter (is_equal) as equal,
  count(*) filter (is_before and not is_equal) as explained
from met
