-- step:  alike_open
-- in:    open_expected, open_reported
-- out:   alike_open(side, said)
-- grain: one row per (side, said)
-- empty: when closer_expected and closer_reported
-- types: varchar, ubigint
-- why:   what more than one open row of a side says in reference, currency and amount, or without a reference in day,
--        currency, amount and text: where there is none, no row can be a copy of another. What it takes for
--        the same is at least what copied_expected and copied_reported do
select side, said
from (
  select 'ours' as side, alike_said(ref, currency, amount_micros, day, text) as said
  from open_expected
  where ref is not null or text <> ''
  union all
  select 'theirs', alike_said(ref, currency, amount_micros, day, text)
  from open_reported
  where ref is not null or text <> ''
)
group by all
having count(*) > 1
