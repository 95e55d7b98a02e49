-- step:  block_near_word
-- in:    block_expected, block_reported, sure_pair, run
-- out:   near_amount(ours_row, theirs_row)
-- grain: one row per (ours_row, theirs_row)
-- why:   takes the place of block_near_amount where texts that merely begin alike speak against a pair, as was learned. Of the
--        rows that no sure pair took, those of one currency within the window whose amounts, of one sign, lie within a
--        sixth, and whose first two words have the same initials (or a side has no text). Where more than 200 pairs share
--        initials and size, what they share must tell more: a word of three letters or more that at most five such rows of
--        either side have at that size and term of the window. Among so many a pair that shares no such word is beyond
--        hope; one that a slip of the pen kept apart is looked at among the rows that are left (second_candidate).
--        Where a side has no text, 1000 pairs may share a size and a term
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
sized as (
  select *, unnest([size - 1, size, size + 1]) as met from near
),
crowded as (
  select currency, initials, met
  from (
    select currency, initials, met, 1 as ours, 0 as theirs from sized
    union all
    select currency, initials, size, 0, 1 from theirs_near
  )
  group by all
  having sum(ours) * sum(theirs) > 200
),
said as (
  select n.entry_no, n.currency, n.size, n.term, unnest(u.words) as word
  from (
    from near
    semi join (
      select currency, initials, unnest([met - 1, met, met + 1]) as size from crowded
    ) using (currency, initials, size)
  ) n
  join block_expected u using (entry_no)
),
theirs_said as (
  select n.entry_no, n.currency, n.size, n.term, unnest(u.words) as word
  from (
    from theirs_near
    semi join (select currency, initials, met as size from crowded) using (currency, initials, size)
  ) n
  join block_reported u using (entry_no)
),
quiet as (
  select entry_no, hash(currency, word) as word, size, term, hash(hash(currency, word), size, term) as place
  from said
  where length(word) >= 3
  qualify count(*) over (partition by place) <= 5
),
quiet_word as (
  select entry_no, unnest([size - 1, size, size + 1]) as size, word, near_term as term
  from (select *, unnest([term - 1, term, term + 1]) as near_term from quiet)
),
theirs_quiet_word as (
  select entry_no, hash(hash(currency, word), size, term) as place
  from theirs_said
  where length(word) >= 3
  qualify count(*) over (partition by place) <= 5
),
untold as (
  select * exclude (initials), true as is_told from sized where not has_text
  union all
  select * exclude (initials), false from sized where has_text
),
theirs_untold as (
  select entry_no, ref, currency, day, term, amount_micros, size as met, has_text as is_told from theirs_near
),
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
  select * exclude (term), unnest([term - 1, term, term + 1]) as term
  from untold
  semi join crowded_untold using (currency, is_told, met)
),
theirs_untold_term as (from theirs_untold semi join crowded_untold using (currency, is_told, met)),
crowded_untold_term as (
  select currency, is_told, met, term
  from (
    select currency, is_told, met, term, 1 as ours, 0 as theirs from untold_term
    union all
    select currency, is_told, met, term, 0, 1 from theirs_untold_term
  )
  group by all
  having sum(ours) * sum(theirs) > 1000
),
pair as (
  select o.entry_no as ours_row, t.entry_no as theirs_row
  from (from sized anti join crowded using (currency, initials, met)) o
  join theirs_near t on t.currency = o.currency and t.initials = o.initials and t.size = o.met
  where is_near(o.amount_micros, t.amount_micros)
  union
  select o.entry_no, t.entry_no
  from quiet_word o
  join theirs_quiet_word t on t.place = hash(o.word, o.size, o.term)
  union
  select o.entry_no, t.entry_no
  from (from untold anti join crowded_untold using (currency, is_told, met)) o
  join theirs_untold t using (currency, is_told, met)
  where is_near(o.amount_micros, t.amount_micros)
  union
  select o.entry_no, t.entry_no
  from (from untold_term anti join crowded_untold_term using (currency, is_told, met, term)) o
  join theirs_untold_term t using (currency, is_told, met, term)
  where is_near(o.amount_micros, t.amount_micros)
)
select p.ours_row, p.theirs_row
from pair p
join near o on o.entry_no = p.ours_row
join theirs_near t on t.entry_no = p.theirs_row and t.currency = o.currency
cross join run
where is_near(o.amount_micros, t.amount_micros) and may_meet(o.ref, t.ref, o.day, t.day, window_days)
