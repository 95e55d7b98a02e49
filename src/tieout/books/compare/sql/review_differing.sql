-- query: review_differing
-- in:    delta_before, delta_after
-- out:   currency, before_micros, after_micros
-- grain: one row per (currency)
-- why:   how much money differs before and after a decision: every delta counts in full, so that one that is owed and one
--        that is owing do not hide each other
select
  currency,
  cast(coalesce(sum(micros) filter (is_before), 0) as decimal(38, 0)) as before_micros,
  cast(coalesce(sum(micros) filter (not is_before), 0) as decimal(38, 0)) as after_micros
from (
  select currency, abs(amount_micros::hugeint) as micros, true as is_before from delta_before
  union all
  select currency, abs(amount_micros::hugeint), false from delta_after
)
where micros <> 0
group by currency
order by currency
