-- step:  surer_change
-- in:    scored_match, ungrouped_expected, run
-- out:   surer_change(rule, from_value, to_value, place, currency, ours_rows, theirs_rows, amount_micros, basis)
-- grain: one row per (to_value, currency)
-- why:   how many matches, and how much money of ours, no person needs to see with a lower automatic threshold, in a few
--        steps; it is exact, for no match hangs on it
with
surer as (
  select round(auto_threshold - step, 3) as to_share
  from run, (select unnest([0.05, 0.1, 0.15, 0.2, 0.3]) as step)
  where round(auto_threshold - step, 3) >= review_threshold
)
select
  'auto' as rule, auto_threshold::varchar as from_value, to_share::varchar as to_value,
  cast(1000 - to_share * 1000 as bigint) as place, coalesce(u.currency, '') as currency, count(*) as ours_rows,
  count(*) as theirs_rows, coalesce(sum(abs(u.amount_micros::hugeint)), 0) as amount_micros, 'exact' as basis
from scored_match m
join ungrouped_expected u on u.entry_no = m.ours_row
join surer on m.confidence >= to_share
cross join run
where m.outcome = 'review' and coalesce(m.margin, 1) >= required_margin
group by all
