-- step:  form_change
-- in:    lone_row, near_reference
-- out:   form_change(rule, from_value, to_value, place, currency, ours_rows, theirs_rows, amount_micros, basis)
-- grain: one row per currency
-- empty: when near_reference
-- types: varchar, varchar, varchar, integer, varchar, bigint, bigint, hugeint, varchar
-- why:   how many rows, and how much money, would match by reference if case, signs between and zeros in front did not count;
--        an estimate, for references that stand alone now may then fall together
with
other_form as (select distinct side, entry_no from near_reference where kind = 'reference_form')
select
  'form' as rule, 'written' as from_value, 'plain' as to_value, 0 as place, currency,
  count(*) filter (side = 'ours') as ours_rows, count(*) filter (side = 'theirs') as theirs_rows,
  coalesce(sum(abs(amount_micros::hugeint)), 0) as amount_micros, 'estimate' as basis
from other_form
join lone_row using (side, entry_no)
group by currency
