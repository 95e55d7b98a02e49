-- step:  block_same_amount
-- in:    block_expected, block_reported, ungrouped_expected, ungrouped_reported, run
-- out:   same_amount(ours_row, theirs_row)
-- why:   rows of one currency whose amounts are equal but for the sign. Where more than 50 pairs share an amount they
--        share the day as well, or the initials or a word of three letters within a term; where that is still crowded, the day
--        and the initials; a row without a text, which shares nothing but the day, meets all of a term up to 5000 pairs (200
--        of more than 300,000 rows), or the day would look like the only one. They lie within the window. Few rows, up to a
--        quarter of a million pairs, are all held against each other. What rows share is told by its hash: one
--        number is grouped and joined in half the time of its parts. What is crowded is left out before the sides meet, as
--        the planner may not know
with
one as (
  select entry_no, ref, day, term, initials, hash(currency, magnitude) as place
  from block_expected
  where magnitude is not null
),
theirs_one as (
  select entry_no, ref, day, term, initials, hash(currency, magnitude) as place
  from block_reported
  where magnitude is not null
),
few as (
  select
    (select count(*) from one) * (select count(*) from theirs_one) <= 250000 as is_few,
    if((select count(*) from one) + (select count(*) from theirs_one) <= 300000, 5000, 200) as most_silent
),
crowded as (
  select place
  from (select place, count(*) as ours_rows from one group by place)
  join (select place, count(*) as theirs_rows from theirs_one group by place) using (place)
  where ours_rows * theirs_rows > 50 and not (select is_few from few)
),
ours as (
  select *, hash(place, day) as day_place, hash(place, initials) as named_place
  from one
  semi join crowded using (place)
),
theirs as (
  select *, hash(place, day) as day_place, hash(place, initials) as named_place
  from theirs_one
  semi join crowded using (place)
),
crowded_day as (
  select day_place
  from (select day_place, count(*) as ours_rows from ours group by day_place)
  join (select day_place, count(*) as theirs_rows from theirs group by day_place) using (day_place)
  where ours_rows * theirs_rows > 50
),
-- A term can be crowded only where the initials are, over all terms.
crowded_name as (
  select named_place
  from (select named_place, count(*) as ours_rows from ours group by named_place)
  join (select named_place, count(*) as theirs_rows from theirs group by named_place) using (named_place)
  where ours_rows * theirs_rows > 50
),
near_term as (
  select entry_no, ref, day, named_place, hash(named_place, met_term) as term_place
  from (select *, unnest([term - 1, term, term + 1]) as met_term from ours)
),
theirs_term as (select entry_no, ref, day, named_place, hash(named_place, term) as term_place from theirs),
crowded_term as (
  select term_place
  from (
    select term_place, count(*) as ours_rows from near_term semi join crowded_name using (named_place) group by term_place
  )
  join (
    select term_place, count(*) as theirs_rows from theirs_term semi join crowded_name using (named_place) group by term_place
  ) using (term_place)
  where ours_rows * theirs_rows > 50
),
near_place as (
  select entry_no, ref, day, initials = '' as is_silent, hash(place, unnest([term - 1, term, term + 1])) as place_term from ours
),
theirs_place as (select entry_no, ref, day, initials = '' as is_silent, hash(place, term) as place_term from theirs),
crowded_place as (
  select place_term
  from (select place_term, count(*) as ours_rows from near_place group by place_term)
  join (select place_term, count(*) as theirs_rows from theirs_place group by place_term) using (place_term)
  where ours_rows * theirs_rows > (select most_silent from few)
),
worded as materialized (
  select o.entry_no, o.ref, o.day, o.term, o.place, u.words from ours o join ungrouped_expected u using (entry_no)
),
theirs_worded as materialized (
  select t.entry_no, t.ref, t.day, t.term, t.place, u.words from theirs t join ungrouped_reported u using (entry_no)
),
said as (
  select entry_no, ref, day, term, hash(place, word) as word_place
  from (select * exclude (words), unnest(words) as word from worded)
  where length(word) >= 3
),
theirs_said as (
  select entry_no, ref, day, term, hash(place, word) as word_place
  from (select * exclude (words), unnest(words) as word from theirs_worded)
  where length(word) >= 3
),
met_word as materialized (
  select word_place, ours_rows * theirs_rows > 50 as is_crowded
  from (select word_place, count(*) as ours_rows from said group by word_place)
  join (select word_place, count(*) as theirs_rows from theirs_said group by word_place) using (word_place)
),
quiet_word as materialized (from said semi join (from met_word where not is_crowded) using (word_place)),
near_word as (
  select entry_no, ref, day, hash(word_place, unnest([term - 1, term, term + 1])) as word_place
  from said
  semi join (from met_word where is_crowded) using (word_place)
),
theirs_word as (
  select entry_no, ref, day, hash(word_place, term) as word_place
  from theirs_said
  semi join (from met_word where is_crowded) using (word_place)
),
quiet_term_word as materialized (
  from near_word
  semi join (
    select word_place
    from (select word_place, count(*) as ours_rows from near_word group by word_place)
    join (select word_place, count(*) as theirs_rows from theirs_word group by word_place) using (word_place)
    where ours_rows * theirs_rows <= 50
  ) using (word_place)
),
quiet as materialized (from one anti join crowded using (place)),
quiet_day as materialized (from ours anti join crowded_day using (day_place)),
quiet_term as materialized (from near_term anti join crowded_term using (term_place))
select o.entry_no as ours_row, t.entry_no as theirs_row
from quiet o
join theirs_one t using (place)
cross join run
where may_meet(o.ref, t.ref, o.day, t.day, window_days)
union all
(
  select o.entry_no, t.entry_no
  from quiet_day o
  join theirs t using (day_place)
  where o.day is not null and (o.ref is null or t.ref is null)
  union all
  select o.entry_no, t.entry_no
  from quiet_term o
  join theirs_term t using (term_place)
  cross join run
  where may_meet(o.ref, t.ref, o.day, t.day, window_days)
  union all
  select o.entry_no, t.entry_no
  from quiet_word o
  join theirs_said t using (word_place)
  cross join run
  where may_meet(o.ref, t.ref, o.day, t.day, window_days)
  union all
  select o.entry_no, t.entry_no
  from quiet_term_word o
  join theirs_word t using (word_place)
  cross join run
  where may_meet(o.ref, t.ref, o.day, t.day, window_days)
  union all
  select o.entry_no, t.entry_no
  from ours o
  join theirs t using (named_place, day)
  where o.ref is null or t.ref is null
  union all
  select o.entry_no, t.entry_no
  from (from (from near_place where is_silent) anti join crowded_place using (place_term)) o
  join theirs_place t using (place_term)
  cross join run
  where may_meet(o.ref, t.ref, o.day, t.day, window_days)
  union all
  select o.entry_no, t.entry_no
  from near_place o
  join (from (from theirs_place where is_silent) anti join crowded_place using (place_term)) t using (place_term)
  cross join run
  where may_meet(o.ref, t.ref, o.day, t.day, window_days)
  union all
  select o.entry_no, t.entry_no
  from (from ours where day is null) o
  join theirs t using (named_place)
  where o.ref is null or t.ref is null
  union all
  select o.entry_no, t.entry_no
  from ours o
  join (from theirs where day is null) t using (named_place)
  where o.ref is null or t.ref is null
)
