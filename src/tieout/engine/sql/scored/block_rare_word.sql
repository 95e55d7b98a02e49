-- step:  block_rare_word
-- in:    block_expected, block_reported, run
-- out:   rare_text(ours_row, theirs_row)
-- grain: one row per (ours_row, theirs_row)
-- why:   rows of one currency within the window that share a word of three letters or more which at most five rows of either side have
with
ours_word as (select entry_no, currency, unnest(words) as word from block_expected),
theirs_word as (select entry_no, currency, unnest(words) as word from block_reported),
rare_word as (
  select word
  from (
    select word, count(*) as ours_rows, 0 as theirs_rows from ours_word group by word
    union all
    select word, 0, count(*) from theirs_word group by word
  )
  where length(word) >= 3
  group by word
  having sum(ours_rows) between 1 and 5 and sum(theirs_rows) between 1 and 5
),
pair as (
  select distinct o.entry_no as ours_row, t.entry_no as theirs_row
  from (from ours_word semi join rare_word using (word)) o
  join theirs_word t using (currency, word)
)
select p.ours_row, p.theirs_row
from pair p
join block_expected o on o.entry_no = p.ours_row
join block_reported t on t.entry_no = p.theirs_row
cross join run
where may_meet(o.ref, t.ref, o.day, t.day, window_days)
