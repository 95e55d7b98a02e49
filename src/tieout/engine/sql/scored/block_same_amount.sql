-- step:  block_same_amount
-- in:    block_expected, block_reported, run
-- out:   same_amount(ours_row, theirs_row)
-- grain: one row per (ours_row, theirs_row)
-- why:   rows of one currency whose amounts are equal but for the sign. Where more than 200 pairs share an amount they
--        share the day as well, or the initials within a term; where that is still crowded, both. They lie within the window
with
crowded as (
  select currency, magnitude
  from (
    select currency, magnitude, 1 as ours, 0 as theirs from block_expected
    union all
    select currency, magnitude, 0, 1 from block_reported
  )
  group by all
  having sum(ours) * sum(theirs) > 200
),
ours as (select * from block_expected semi join crowded using (currency, magnitude)),
theirs as (select * from block_reported semi join crowded using (currency, magnitude)),
crowded_day as (
  select currency, magnitude, day
  from (
    select currency, magnitude, day, 1 as ours, 0 as theirs from ours
    union all
    select currency, magnitude, day, 0, 1 from theirs
  )
  group by all
  having sum(ours) * sum(theirs) > 200
),
near_term as (select *, unnest([term - 1, term, term + 1]) as met_term from ours),
theirs_term as (select *, term as met_term from theirs),
crowded_term as (
  select currency, magnitude, initials, met_term
  from (
    select currency, magnitude, initials, met_term, 1 as ours, 0 as theirs from near_term
    union all
    select currency, magnitude, initials, met_term, 0, 1 from theirs_term
  )
  group by all
  having sum(ours) * sum(theirs) > 200
)
select o.entry_no as ours_row, t.entry_no as theirs_row
from (from block_expected anti join crowded using (currency, magnitude)) o
join block_reported t using (currency, magnitude)
cross join run
where may_meet(o.ref, t.ref, o.day, t.day, window_days)
union all
(
  select o.entry_no, t.entry_no
  from (from ours anti join crowded_day using (currency, magnitude, day)) o
  join theirs t using (currency, magnitude, day)
  where o.ref is null or t.ref is null
  union
  select o.entry_no, t.entry_no
  from (from near_term anti join crowded_term using (currency, magnitude, initials, met_term)) o
  join theirs_term t using (currency, magnitude, initials, met_term)
  cross join run
  where may_meet(o.ref, t.ref, o.day, t.day, window_days)
  union
  select o.entry_no, t.entry_no
  from ours o
  join theirs t using (currency, magnitude, initials, day)
  where o.ref is null or t.ref is null
  union
  select o.entry_no, t.entry_no
  from ours o
  join theirs t using (currency, magnitude, initials)
  where (o.day is null or t.day is null) and (o.ref is null or t.ref is null)
)
