-- step:  block_rare_word
-- in:    block_expected, block_reported, ungrouped_expected, ungrouped_reported, equal_row, run
-- out:   rare_text(ours_row, theirs_row)
-- why:   rows of one currency within the window that share a word of three letters or more which at most five rows of either side have.
--        Words are told apart by their hash, which is grouped and joined in two thirds of the time of the words. What is
--        rare is picked before the sides meet, as the planner may not know: all rows that share a common word are too many
with
ours_word as (
  select entry_no, hash(word) as word
  from (
    select entry_no, unnest(words) as word
    from ungrouped_expected
    anti join (from equal_row where is_match) m on m.ours_row = entry_no
  )
  where length(word) >= 3
),
theirs_word as (
  select entry_no, hash(word) as word
  from (
    select entry_no, unnest(words) as word
    from ungrouped_reported
    anti join (from equal_row where is_match) m on m.theirs_row = entry_no
  )
  where length(word) >= 3
),
rare_word as (
  from (select word from ours_word group by word having count(*) <= 5)
  semi join (select word from theirs_word group by word having count(*) <= 5) using (word)
),
ours_rare as materialized (from ours_word semi join rare_word using (word)),
pair as (
  select o.entry_no as ours_row, t.entry_no as theirs_row
  from ours_rare o
  join theirs_word t using (word)
)
select p.ours_row, p.theirs_row
from pair p
join block_expected o on o.entry_no = p.ours_row
join block_reported t on t.entry_no = p.theirs_row
cross join run
where coalesce(t.currency = o.currency and may_meet(o.ref, t.ref, o.day, t.day, window_days), false)
