-- step:  block_sampled_near
-- in:    block_expected, block_reported, sample_expected, sample_reported
-- out:   near_amount(ours_row, theirs_row)
-- grain: one row per (ours_row, theirs_row)
-- why:   what an amount that is merely near tells is learned from the sampled rows: each meets the rows of the other side
--        that share currency, term, size and initials (or a side has no text), or the first word, or the initials and
--        nearly the amount. A place that more than 50 rows share is left out, for the finer ones tell as much
with
one as (
  select 'ours' as side, * from block_expected where amount_micros is not null
  union all
  select 'theirs', * from block_reported where amount_micros is not null
),
place as (
  select side, entry_no, currency, term, amount_micros, 'initials' as kind, size, initials as word from one where has_text
  union all
  select side, entry_no, currency, term, amount_micros, 'word', size, first_word from one where first_word <> ''
  union all
  select side, entry_no, currency, term, amount_micros, 'fine', fine, initials from one where has_text
  union all
  select side, entry_no, currency, term, amount_micros, 'untold', size, '' from one where not has_text
  union all
  select side, entry_no, currency, term, amount_micros, 'any', size, '' from one
),
sample as (
  select 'ours' as side, entry_no from sample_expected
  union all
  select 'theirs', entry_no from sample_reported
),
sampled as (from one semi join sample using (side, entry_no)),
sought as (
  select side, entry_no, currency, term, amount_micros, 'initials' as kind, size, initials as word from sampled where has_text
  union all
  select side, entry_no, currency, term, amount_micros, 'word', size, first_word from sampled where first_word <> ''
  union all
  select side, entry_no, currency, term, amount_micros, 'fine', fine, initials from sampled where has_text
  union all
  select side, entry_no, currency, term, amount_micros, if(has_text, 'untold', 'any'), size, '' from sampled
),
met as (
  select * exclude (size, term), unnest([size - 1, size, size + 1]) as size, near_term as term
  from (select *, unnest([term - 1, term, term + 1]) as near_term from sought)
),
sought_place as (
  select distinct if(side = 'ours', 'theirs', 'ours') as side, currency, kind, size, word, term from met
),
quiet as (
  select side, currency, kind, size, word, term
  from place
  semi join sought_place using (side, currency, kind, size, word, term)
  group by all
  having count(*) <= 50
),
pair as (
  select
    if(m.side = 'ours', m.entry_no, p.entry_no) as ours_row, if(m.side = 'ours', p.entry_no, m.entry_no) as theirs_row,
    m.amount_micros, p.amount_micros as other_micros
  from met m
  join quiet q
    on q.side <> m.side and q.currency = m.currency and q.kind = m.kind and q.size = m.size and q.word = m.word
      and q.term = m.term
  join place p
    on p.side = q.side and p.currency = q.currency and p.kind = q.kind and p.size = q.size and p.word = q.word
      and p.term = q.term
)
select distinct ours_row, theirs_row
from pair
where abs(amount_micros::hugeint - other_micros) * 6 <= greatest(abs(amount_micros), abs(other_micros))
