-- step:  loose_row
-- in:    ungrouped_expected, ungrouped_reported, open_expected, open_reported, scored_choice, equal_row, run
-- out:   loose_row(side, entry_no, has_ref, currency, day, term, amount_micros, fee_micros, words, text, content, paired_with, pair_chance)
-- grain: one row per (side, entry_no)
-- why:   rows that may belong to a sum: those without a partner, and those whose partner has another amount and is not
--        beyond doubt, as no partner is whose amount is not even near. The term is as wide as the window of sums, half as
--        much again as that of pairs, for the parts of one payment do not all come at once
with
pair as (
  select c.ours_row, c.theirs_row, c.score
  from scored_choice c
  join ungrouped_expected o on o.entry_no = c.ours_row
  join ungrouped_reported t on t.entry_no = c.theirs_row
  where coalesce(o.amount_micros <> t.amount_micros, false)
    and (c.score < 0.9995 or not is_near(o.amount_micros, t.amount_micros))
),
settled as (
  select ours_row, theirs_row from scored_choice anti join pair using (ours_row)
  union all
  select ours_row, theirs_row from equal_row where is_match
),
loose as (
  select
    'ours' as side, u.entry_no, u.ref, u.currency, u.day, u.amount_micros, u.words, u.text,
    p.theirs_row as paired_with, p.score as pair_chance
  from ungrouped_expected u
  anti join settled s on s.ours_row = u.entry_no
  left join pair p on p.ours_row = u.entry_no
  union all
  select
    'theirs', u.entry_no, u.ref, u.currency, u.day, u.amount_micros, u.words, u.text, p.ours_row, p.score
  from ungrouped_reported u
  anti join settled s on s.theirs_row = u.entry_no
  left join pair p on p.theirs_row = u.entry_no
),
fee as (
  select 'ours' as side, entry_no, fee_micros from open_expected where fee_micros <> 0
  union all
  select 'theirs', entry_no, fee_micros from open_reported where fee_micros <> 0
)
select
  side, entry_no, l.ref is not null as has_ref, coalesce(l.currency, '') as currency, l.day,
  coalesce(date_diff('day', date '1970-01-01', l.day) // (window_days + window_days // 2 + 1), -1000000000) as term,
  l.amount_micros, coalesce(f.fee_micros, 0) as fee_micros, l.words, coalesce(l.text, '') as text,
  hash(l.day, l.currency, l.amount_micros, l.text) as content, l.paired_with, l.pair_chance
from loose l
left join fee f using (side, entry_no)
cross join run
where l.amount_micros <> 0
