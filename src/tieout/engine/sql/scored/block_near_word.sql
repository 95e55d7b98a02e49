-- step:  block_near_word
-- in:    block_expected, block_reported, ungrouped_expected, ungrouped_reported, sure_pair, run
-- out:   near_amount(ours_row, theirs_row)
-- why:   takes the place of block_near_amount where texts that merely begin alike speak against a pair, as was learned. Of the
--        rows that no sure pair took, those of one currency within the window whose amounts, of one sign, lie within a
--        sixth, and whose first two words have the same initials (or a side has no text), or that share a word of three
--        letters or more which at most five such rows of either side have at that size and term of the window. Where more
--        than 200 pairs share initials and size these tell nothing, and only such a word brings two rows together; one that
--        a slip of the pen kept apart is looked at among the rows that are left (second_candidate).
--        Where a side has no text, 1000 pairs may share a size and a term. What is
--        crowded is counted by size and term before they are set beside their neighbours. What is at most one apart is
--        found in two places of double width instead of three: a row of four places is set beside them, not of nine
with
near as (
  select entry_no, ref, currency, day, term, amount_micros, size, initials, has_text
  from block_expected
  anti join (select ours_row as entry_no from sure_pair) s using (entry_no)
  where amount_micros is not null
),
theirs_near as (
  select entry_no, ref, currency, day, term, amount_micros, size, initials, has_text
  from block_reported
  anti join (select theirs_row as entry_no from sure_pair) s using (entry_no)
  where amount_micros is not null
),
crowded as (
  select currency, initials, met
  from (
    select currency, initials, unnest([size - 1, size, size + 1]) as met, ours, 0 as theirs
    from (select currency, initials, size, count(*) as ours from near group by all)
    union all
    select currency, initials, size, 0, count(*) from theirs_near group by all
  )
  group by all
  having sum(ours) * sum(theirs) > 200
),
worded as materialized (
  select n.entry_no, n.ref, n.currency, n.day, n.term, n.amount_micros, n.size, u.words
  from near n
  join ungrouped_expected u using (entry_no)
),
theirs_worded as materialized (
  select n.entry_no, n.ref, n.currency, n.day, n.term, n.amount_micros, n.size, u.words
  from theirs_near n
  join ungrouped_reported u using (entry_no)
),
said as not materialized (
  select
    * replace (hash(currency, word) as word), hash(hash(currency, word), size, term) as place
  from (select * exclude (words), unnest(words) as word from worded)
  where length(word) >= 3
),
theirs_said as not materialized (
  select
    * replace (hash(currency, word) as word), hash(hash(currency, word), size, term) as place
  from (select * exclude (words), unnest(words) as word from theirs_worded)
  where length(word) >= 3
),
quiet_word as (
  select
    entry_no, ref, day, term, amount_micros, size,
    hash(word, unnest([(size - 1) >> 1, (size + 1) >> 1]), half_term) as half_place
  from (
    select *, unnest([(term - 1) >> 1, (term + 1) >> 1]) as half_term
    from said
    anti join (select place from said group by place having count(*) > 5) using (place)
  )
),
theirs_quiet_word as (
  select entry_no, ref, day, term, amount_micros, size, hash(word, size >> 1, term >> 1) as half_place
  from theirs_said
  anti join (select place from theirs_said group by place having count(*) > 5) using (place)
),
told as (
  select *, not has_text as is_told
  from near
  where (not has_text) in (select has_text from theirs_near)
),
theirs_told as (
  select *, has_text as is_told
  from theirs_near
  where (not has_text) in (select has_text from near)
),
crowded_told as (
  select currency, is_told, met
  from (
    select currency, is_told, unnest([size - 1, size, size + 1]) as met, ours, 0 as theirs
    from (select currency, is_told, size, count(*) as ours from told group by all)
    union all
    select currency, is_told, size, 0, count(*) from theirs_told group by all
  )
  group by all
  having sum(ours) * sum(theirs) > 200
),
crowded_told_term as (
  select currency, is_told, met, met_term
  from (
    select *, unnest([term - 1, term, term + 1]) as met_term
    from (
      select currency, is_told, term, unnest([size - 1, size, size + 1]) as met, ours, 0 as theirs
      from (select currency, is_told, term, size, count(*) as ours from told group by all)
    )
    union all
    select currency, is_told, term, size, 0, count(*), term from theirs_told group by all
  )
  semi join crowded_told using (currency, is_told, met)
  group by all
  having sum(ours) * sum(theirs) > 1000
),
theirs_met as (
  select *, unnest([met - 1, met, met + 1]) as size from (select * rename (size as met) from theirs_told)
),
theirs_met_term as (
  select * exclude (met_term), unnest([met_term - 1, met_term, met_term + 1]) as term
  from (select * rename (term as met_term) from theirs_met)
  semi join crowded_told using (currency, is_told, met)
  anti join crowded_told_term using (currency, is_told, met, met_term)
),
pair as (
  select o.entry_no as ours_row, t.entry_no as theirs_row, o.amount_micros as ours_micros, t.amount_micros as theirs_micros,
    o.ref as ours_ref, t.ref as theirs_ref, o.day as ours_day, t.day as theirs_day
  from (
    from (select *, unnest([size - 1, size, size + 1]) as met from near) anti join crowded using (currency, initials, met)
  ) o
  join theirs_near t on t.currency = o.currency and t.initials = o.initials and t.size = o.met
  union all
  select o.entry_no, t.entry_no, o.amount_micros, t.amount_micros, o.ref, t.ref, o.day, t.day
  from quiet_word o
  join theirs_quiet_word t using (half_place)
  where abs(o.size - t.size) <= 1 and abs(o.term - t.term) <= 1
  union all
  select o.entry_no, t.entry_no, o.amount_micros, t.amount_micros, o.ref, t.ref, o.day, t.day
  from (from theirs_met anti join crowded_told using (currency, is_told, met)) t
  join told o using (currency, is_told, size)
  union all
  select o.entry_no, t.entry_no, o.amount_micros, t.amount_micros, o.ref, t.ref, o.day, t.day
  from theirs_met_term t
  join told o using (currency, is_told, size, term)
)
select ours_row, theirs_row
from pair
cross join run
where coalesce(
  is_near(ours_micros, theirs_micros) and may_meet(ours_ref, theirs_ref, ours_day, theirs_day, window_days), false
)
