-- step:  block_near_amount
-- in:    block_expected, block_reported, sure_pair, run
-- out:   near_amount(ours_row, theirs_row)
-- grain: one row per (ours_row, theirs_row)
-- why:   of the rows that no sure pair took, those of one currency within the window whose amounts, of one sign, lie within a sixth, and whose first two words have the same
--        initials (or a side has no text). Where more than 200 pairs share initials and size they lie within a term of
--        the window as well; where 1000 pairs do that too, they share the first word or lie within a hundredth. Beyond that
--        an amount that is merely near tells nothing: only an equal one or a rare word makes a pair worth comparing
with
near as (
  select entry_no, ref, currency, day, term, amount_micros, size, fine, initials, first_word, has_text,
    unnest([size - 1, size, size + 1]) as met
  from block_expected
  anti join (select ours_row as entry_no from sure_pair) s using (entry_no)
  where amount_micros is not null
),
theirs_near as (
  select entry_no, ref, currency, day, term, amount_micros, size, fine, initials, first_word, has_text, size as met
  from block_reported
  anti join (select theirs_row as entry_no from sure_pair) s using (entry_no)
  where amount_micros is not null
),
crowded as (
  select currency, initials, met
  from (
    select currency, initials, met, 1 as ours, 0 as theirs from near
    union all
    select currency, initials, met, 0, 1 from theirs_near
  )
  group by all
  having sum(ours) * sum(theirs) > 200
),
term as (
  select *, unnest([term - 1, term, term + 1]) as met_term
  from near
  semi join crowded using (currency, initials, met)
),
theirs_term as (select *, term as met_term from theirs_near semi join crowded using (currency, initials, met)),
crowded_term as (
  select currency, initials, met, met_term
  from (
    select currency, initials, met, met_term, 1 as ours, 0 as theirs from term
    union all
    select currency, initials, met, met_term, 0, 1 from theirs_term
  )
  group by all
  having sum(ours) * sum(theirs) > 1000
),
worded as (from term semi join crowded_term using (currency, initials, met, met_term) where first_word <> ''),
theirs_worded as (from theirs_term semi join crowded_term using (currency, initials, met, met_term)),
crowded_word as (
  select currency, first_word, met, met_term
  from (
    select currency, first_word, met, met_term, 1 as ours, 0 as theirs from worded
    union all
    select currency, first_word, met, met_term, 0, 1 from theirs_worded
  )
  group by all
  having sum(ours) * sum(theirs) > 1000
),
finely as (
  select * replace (unnest([fine - 1, fine, fine + 1]) as fine)
  from term
  semi join crowded_term using (currency, initials, met, met_term)
  where met = size
),
crowded_fine as (
  select currency, initials, fine, met_term
  from (
    select currency, initials, fine, met_term, 1 as ours, 0 as theirs from finely
    union all
    select currency, initials, fine, met_term, 0, 1 from theirs_worded
  )
  group by all
  having sum(ours) * sum(theirs) > 1000
),
untold as (select *, true as is_told from near where not has_text union all select *, false from near where has_text),
theirs_untold as (select *, has_text as is_told from theirs_near),
crowded_untold as (
  select currency, is_told, met
  from (
    select currency, is_told, met, 1 as ours, 0 as theirs from untold
    union all
    select currency, is_told, met, 0, 1 from theirs_untold
  )
  group by all
  having sum(ours) * sum(theirs) > 200
),
untold_term as (
  select *, unnest([term - 1, term, term + 1]) as met_term
  from untold
  semi join crowded_untold using (currency, is_told, met)
),
theirs_untold_term as (
  select *, term as met_term from theirs_untold semi join crowded_untold using (currency, is_told, met)
),
crowded_untold_term as (
  select currency, is_told, met, met_term
  from (
    select currency, is_told, met, met_term, 1 as ours, 0 as theirs from untold_term
    union all
    select currency, is_told, met, met_term, 0, 1 from theirs_untold_term
  )
  group by all
  having sum(ours) * sum(theirs) > 1000
),
-- Picked before the sides meet, for the planner may let them meet first, and crowds of thousands with them.
quiet_near as materialized (from near anti join crowded using (currency, initials, met)),
quiet_term as materialized (from term anti join crowded_term using (currency, initials, met, met_term)),
quiet_worded as materialized (from worded anti join crowded_word using (currency, first_word, met, met_term)),
quiet_finely as materialized (from finely anti join crowded_fine using (currency, initials, fine, met_term)),
quiet_untold as materialized (from untold anti join crowded_untold using (currency, is_told, met)),
quiet_untold_term as materialized (from untold_term anti join crowded_untold_term using (currency, is_told, met, met_term)),
pair as (
  select o.entry_no as ours_row, t.entry_no as theirs_row, o.amount_micros as ours_micros, t.amount_micros as theirs_micros,
    o.ref as ours_ref, t.ref as theirs_ref, o.day as ours_day, t.day as theirs_day
  from quiet_near o
  join theirs_near t using (currency, initials, met)
  union all
  select o.entry_no, t.entry_no, o.amount_micros, t.amount_micros, o.ref, t.ref, o.day, t.day
  from quiet_term o
  join theirs_term t using (currency, initials, met, met_term)
  union all
  select o.entry_no, t.entry_no, o.amount_micros, t.amount_micros, o.ref, t.ref, o.day, t.day
  from quiet_worded o
  join theirs_worded t using (currency, first_word, met, met_term)
  union all
  select o.entry_no, t.entry_no, o.amount_micros, t.amount_micros, o.ref, t.ref, o.day, t.day
  from quiet_finely o
  join theirs_worded t using (currency, initials, fine, met_term)
  union all
  select o.entry_no, t.entry_no, o.amount_micros, t.amount_micros, o.ref, t.ref, o.day, t.day
  from quiet_untold o
  join theirs_untold t using (currency, is_told, met)
  union all
  select o.entry_no, t.entry_no, o.amount_micros, t.amount_micros, o.ref, t.ref, o.day, t.day
  from quiet_untold_term o
  join theirs_untold_term t using (currency, is_told, met, met_term)
)
select distinct ours_row, theirs_row
from pair
cross join run
where coalesce(
  is_near(ours_micros, theirs_micros) and may_meet(ours_ref, theirs_ref, ours_day, theirs_day, window_days), false
)
