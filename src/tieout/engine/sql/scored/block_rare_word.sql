-- step:  block_rare_word
-- in:    block_expected, block_reported, ungrouped_expected, ungrouped_reported, run
-- out:   rare_text(ours_row, theirs_row)
-- grain: one row per (ours_row, theirs_row)
-- why:   rows of one currency within the window that share a word of three letters or more which at most five rows of either side have
with
ours_word as (
  select b.entry_no, b.ref, b.currency, b.day, unnest(u.words) as word
  from block_expected b
  join ungrouped_expected u using (entry_no)
),
theirs_word as (
  select b.entry_no, b.ref, b.currency, b.day, unnest(u.words) as word
  from block_reported b
  join ungrouped_reported u using (entry_no)
),
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
)
select distinct o.entry_no as ours_row, t.entry_no as theirs_row
from (from ours_word semi join rare_word using (word)) o
join theirs_word t using (currency, word)
cross join run
where may_meet(o.ref, t.ref, o.day, t.day, window_days)
