-- step:  block_sampled_near
-- in:    block_expected, block_reported, sample_expected, sample_reported, run
-- out:   near_amount(ours_row, theirs_row)
-- grain: one row per (ours_row, theirs_row)
-- why:   what an amount that is merely near tells is learned from the sampled rows: each meets the rows of the other side
--        that share currency, term, size and initials (or a side has no text), or the first word, or the initials and
--        nearly the amount. A place that more than 50 rows share is left out, for the finer ones tell as much. A place is
--        told by the hash of what is shared
with
one as (
  select true as is_ours, entry_no, hash(currency, initials) as initials, hash(currency, first_word) as word,
    hash(currency) as currency, first_word <> '' as has_word, has_text, size, fine, term
  from block_expected
  where amount_micros is not null
  union all
  select false, entry_no, hash(currency, initials), hash(currency, first_word), hash(currency), first_word <> '', has_text,
    size, fine, term
  from block_reported
  where amount_micros is not null
),
sample as (
  select true as is_ours, entry_no from sample_expected
  union all
  select false, entry_no from sample_reported
),
sampled as (
  select *, unnest([term - 1, term, term + 1]) as near_term
  from one
  semi join sample using (is_ours, entry_no)
),
sought as (
  select is_ours, entry_no, near_term, 1 as kind, unnest([size - 1, size, size + 1]) as size, initials as shared from sampled where has_text
  union all
  select is_ours, entry_no, near_term, 2, unnest([size - 1, size, size + 1]), word from sampled where has_word
  union all
  select is_ours, entry_no, near_term, 3, unnest([fine - 1, fine, fine + 1]), initials from sampled where has_text
  union all
  select is_ours, entry_no, near_term, if(has_text, 4, 5), unnest([size - 1, size, size + 1]), currency from sampled
),
met as materialized (select entry_no, is_ours, hash(not is_ours, kind, size, shared, near_term) as place from sought),
place as (
  select entry_no, hash(is_ours, 1, size, initials, term) as place from one where has_text
  union all
  select entry_no, hash(is_ours, 2, size, word, term) from one where has_word
  union all
  select entry_no, hash(is_ours, 3, fine, initials, term) from one where has_text
  union all
  select entry_no, hash(is_ours, 4, size, currency, term) from one where not has_text
  union all
  select entry_no, hash(is_ours, 5, size, currency, term) from one
),
asked as materialized (from place semi join met using (place)),
quiet as (from asked semi join (select place from asked group by place having count(*) <= 50) using (place)),
pair as (
  select distinct if(m.is_ours, m.entry_no, p.entry_no) as ours_row, if(m.is_ours, p.entry_no, m.entry_no) as theirs_row
  from met m
  join quiet p using (place)
)
select p.ours_row, p.theirs_row
from pair p
join block_expected o on o.entry_no = p.ours_row
join block_reported t on t.entry_no = p.theirs_row
cross join run
-- All in one, or the join itself asks it of every row that it holds a pair against, which takes three times as long.
where coalesce(
  t.currency = o.currency and is_near(o.amount_micros, t.amount_micros) and may_meet(o.ref, t.ref, o.day, t.day, window_days),
  false
)
