-- step:  settled_pair
-- in:    settled_row, every_candidate, ungrouped_expected, ungrouped_reported, equal_row, former_run, run
-- out:   settled_pair(ours_row, theirs_row, outcome, confidence, alternatives, score, score_time, score_amount, score_unit, score_text, weight_pair, weight_time, weight_amount, weight_unit, weight_text)
-- grain: one row per (ours_row)
-- why:   the pairs that stand until a round says otherwise: automatic, nearly certain and of an equal amount, with both rows
--        still without a partner by reference, by group or by equality, and still a candidate, for blocks grow crowded. A
--        new or open row of the same amount within the window opens a pair at once, for how common an amount is decides
--        what it tells, and a copy may take the place of the first
with
pair as (
  select * replace (ours_row - ours_offset as ours_row, theirs_row - theirs_offset as theirs_row)
  from settled_row
  cross join run
  cross join former_run f
  where outcome = 'auto' and score >= least_confidence
),
new_amount as (
  select distinct coalesce(currency, '') as currency, abs(amount_micros) as magnitude, day
  from (
    select u.currency, u.amount_micros, u.day
    from ungrouped_expected u
    cross join run
    cross join former_run f
    where u.entry_no + ours_offset > f.ours_rows
      or u.entry_no + ours_offset in (select ours_row from settled_row where outcome = 'open')
    union all
    select u.currency, u.amount_micros, u.day
    from ungrouped_reported u
    cross join run
    cross join former_run f
    where u.entry_no + theirs_offset > f.theirs_rows
      or u.entry_no + theirs_offset in (select theirs_row from settled_row where outcome = 'open')
  )
  where amount_micros is not null
),
near_new as (
  select u.entry_no, 'ours' as side
  from ungrouped_expected u
  join new_amount n on n.currency = coalesce(u.currency, '') and n.magnitude = abs(u.amount_micros)
  cross join run
  where coalesce(abs(date_diff('day', n.day, u.day)) <= window_days, true)
  union
  select u.entry_no, 'theirs'
  from ungrouped_reported u
  join new_amount n on n.currency = coalesce(u.currency, '') and n.magnitude = abs(u.amount_micros)
  cross join run
  where coalesce(abs(date_diff('day', n.day, u.day)) <= window_days, true)
)
select p.ours_row, p.theirs_row, p.outcome, p.confidence, p.alternatives, p.score, p.score_time, p.score_amount, p.score_unit, p.score_text, p.weight_pair, p.weight_time, p.weight_amount, p.weight_unit, p.weight_text
from pair p
semi join every_candidate c on c.ours_row = p.ours_row and c.theirs_row = p.theirs_row
join ungrouped_expected o on o.entry_no = p.ours_row
join ungrouped_reported t on t.entry_no = p.theirs_row
anti join (from equal_row where is_match) eo on eo.ours_row = p.ours_row
anti join (from equal_row where is_match) et on et.theirs_row = p.theirs_row
anti join (from near_new where side = 'ours') no on no.entry_no = p.ours_row
anti join (from near_new where side = 'theirs') nt on nt.entry_no = p.theirs_row
where coalesce(t.amount_micros = o.amount_micros, false)
