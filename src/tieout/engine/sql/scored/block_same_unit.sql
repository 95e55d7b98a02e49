-- step:  block_same_unit
-- in:    block_expected, block_reported, ungrouped_expected, ungrouped_reported, run
-- out:   same_unit(ours_row, theirs_row)
-- grain: one row per (ours_row, theirs_row)
-- why:   where no row has an amount, rows of one currency within the window that have the same value in a column of hints (an email, a
--        city, a birth), or the same first word and initials. Where more than 1000 pairs share such a value it is too
--        common to tell anything. Few rows, up to a quarter of a million pairs, are all compared
with
has_amount as (
  select count(amount_micros) > 0 as is_known from (from block_expected union all from block_reported)
),
few as (
  select not is_known
    and (select count(*) from block_expected) * (select count(*) from block_reported) <= 250000 as is_few
  from has_amount
),
ours_unit as materialized (
  select
    b.entry_no, b.ref, b.currency, b.day, u.units
  from block_expected b
  join ungrouped_expected u using (entry_no)
  cross join has_amount
  where not is_known
),
ours_hint as (
  select entry_no, ref, currency, day, unnest(range(1, 7)) as number, unnest(units) as value from ours_unit
  union all
  select entry_no, ref, currency, day, 0, initials || ' ' || first_word
  from block_expected, has_amount
  where not is_known and first_word <> ''
),
theirs_unit as materialized (
  select
    b.entry_no, b.ref, b.currency, b.day, u.units
  from block_reported b
  join ungrouped_reported u using (entry_no)
  cross join has_amount
  where not is_known
),
theirs_hint as (
  select entry_no, ref, currency, day, unnest(range(1, 7)) as number, unnest(units) as value from theirs_unit
  union all
  select entry_no, ref, currency, day, 0, initials || ' ' || first_word
  from block_reported, has_amount
  where not is_known and first_word <> ''
),
crowded as (
  select currency, number, value
  from (
    select currency, number, value, 1 as ours, 0 as theirs from ours_hint
    union all
    select currency, number, value, 0, 1 from theirs_hint
  )
  group by all
  having sum(ours) * sum(theirs) > 1000
)
select o.entry_no as ours_row, t.entry_no as theirs_row
from block_expected o
join block_reported t using (currency)
semi join few on is_few
cross join run
where may_meet(o.ref, t.ref, o.day, t.day, window_days)
union
select o.entry_no as ours_row, t.entry_no as theirs_row
from (from ours_hint anti join crowded using (currency, number, value)) o
join theirs_hint t using (currency, number, value)
cross join run
where may_meet(o.ref, t.ref, o.day, t.day, window_days)
