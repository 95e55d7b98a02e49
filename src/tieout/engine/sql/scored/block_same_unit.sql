-- step:  block_same_unit
-- in:    block_expected, block_reported, ungrouped_expected, ungrouped_reported, run
-- out:   same_unit(ours_row, theirs_row)
-- grain: one row per (ours_row, theirs_row)
-- why:   where no row has an amount, rows of one currency within the window that have the same value in a column of hints (an email, a
--        city, a birth), the same first word and initials, or a word of a short text. Where more than 1000 pairs share a
--        value it tells nothing alone: such rows share a second one, which not more than 1000 pairs share beside it.
--        What rows share is told by its hash. Few rows, up to a quarter of a million pairs, are all compared
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
  select b.entry_no, b.currency, b.initials, b.first_word, u.units, u.words
  from block_expected b
  join ungrouped_expected u using (entry_no)
  cross join has_amount
  where not is_known
),
ours_hint as materialized (
  select entry_no, hash(currency, number, value) as place
  from (
    select entry_no, currency, unnest(range(1, 7)) as number, unnest(units) as value from ours_unit
    union all
    select entry_no, currency, 0, initials || ' ' || first_word from ours_unit where first_word <> ''
    union all
    select entry_no, currency, 7, unnest(words) from ours_unit where length(words) <= 4
  )
  where value is not null and (number <> 7 or length(value) >= 3)
),
theirs_unit as materialized (
  select b.entry_no, b.currency, b.initials, b.first_word, u.units, u.words
  from block_reported b
  join ungrouped_reported u using (entry_no)
  cross join has_amount
  where not is_known
),
theirs_hint as materialized (
  select entry_no, hash(currency, number, value) as place
  from (
    select entry_no, currency, unnest(range(1, 7)) as number, unnest(units) as value from theirs_unit
    union all
    select entry_no, currency, 0, initials || ' ' || first_word from theirs_unit where first_word <> ''
    union all
    select entry_no, currency, 7, unnest(words) from theirs_unit where length(words) <= 4
  )
  where value is not null and (number <> 7 or length(value) >= 3)
),
crowded as (
  select place
  from (select place, count(*) as ours_rows from ours_hint group by place)
  join (select place, count(*) as theirs_rows from theirs_hint group by place) using (place)
  where ours_rows * theirs_rows > 1000
),
ours_crowd as materialized (from ours_hint semi join crowded using (place)),
theirs_crowd as materialized (from theirs_hint semi join crowded using (place)),
ours_both as (
  select a.entry_no, hash(a.place, b.place) as place
  from ours_crowd a
  join ours_crowd b on b.entry_no = a.entry_no and b.place > a.place
),
theirs_both as (
  select a.entry_no, hash(a.place, b.place) as place
  from theirs_crowd a
  join theirs_crowd b on b.entry_no = a.entry_no and b.place > a.place
),
crowded_both as (
  select place
  from (select place, count(*) as ours_rows from ours_both group by place)
  join (select place, count(*) as theirs_rows from theirs_both group by place) using (place)
  where ours_rows * theirs_rows > 1000
),
ours_quiet as materialized (
  from ours_hint anti join crowded using (place)
  union all
  from ours_both anti join crowded_both using (place)
),
theirs_quiet as (
  from theirs_hint
  union all
  from theirs_both
),
pair as (
  select o.entry_no as ours_row, t.entry_no as theirs_row
  from ours_quiet o
  join theirs_quiet t using (place)
)
select o.entry_no as ours_row, t.entry_no as theirs_row
from block_expected o
join block_reported t using (currency)
semi join few on is_few
cross join run
where may_meet(o.ref, t.ref, o.day, t.day, window_days)
union
select p.ours_row, p.theirs_row
from pair p
join block_expected o on o.entry_no = p.ours_row
join block_reported t on t.entry_no = p.theirs_row
cross join run
where may_meet(o.ref, t.ref, o.day, t.day, window_days)
