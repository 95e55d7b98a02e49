-- step:  sent_twice
-- in:    scored_choice, scored_candidate, sum_row, equal_row, evidence_expected, evidence_reported, run
-- out:   sent_twice(ours_row, theirs_row, score, is_ours, copy_row, is_first)
-- grain: one row per (is_ours, copy_row)
-- why:   one payment sent twice stands twice on one side and once on the other. The second row is later, of the same amount
--        and party, and alone. Which of the two is the partner the evidence cannot tell; by custom it is the first, so the
--        chance of the pair is that of both together. A copy before the one that was chosen (is_first) takes its place,
--        where it could be the partner at all
with
taken as (
  select ours_row, theirs_row from scored_choice
  union all
  select ours_row, theirs_row from sum_row
  union all
  select ours_row, theirs_row from equal_row where is_match
),
lone_ours as (select * from evidence_expected anti join taken on ours_row = entry_no),
lone_theirs as (select * from evidence_reported anti join taken on theirs_row = entry_no),
twin as (
  select
    h.ours_row, h.theirs_row, h.score, true as is_ours, l.entry_no as copy_row, l.day as copy_day, e.day, l.content,
    c.score as copy_score
  from scored_choice h
  join evidence_expected e on e.entry_no = h.ours_row
  join scored_candidate c on c.theirs_row = h.theirs_row and c.ours_row <> h.ours_row
  join lone_ours l on l.entry_no = c.ours_row and l.amount_micros = e.amount_micros
  where is_same_party(e.text, l.text, e.rarities, l.words)
  union all
  select
    h.ours_row, h.theirs_row, h.score, false, l.entry_no, l.day, e.day, l.content, c.score
  from scored_choice h
  join evidence_reported e on e.entry_no = h.theirs_row
  join scored_candidate c on c.ours_row = h.ours_row and c.theirs_row <> h.theirs_row
  join lone_theirs l on l.entry_no = c.theirs_row and l.amount_micros = e.amount_micros
  where is_same_party(e.text, l.text, e.rarities, l.words)
),
possible as (
  select
    *, coalesce(copy_day < day, false) as is_first, abs(date_diff('day', day, copy_day)) as apart_days
  from twin
  cross join run
  where coalesce(apart_days <= window_days, true) and (not is_first or copy_score >= alternative_threshold)
),
nearest as (
  select * from possible
  qualify row_number() over (
    partition by is_ours, copy_row order by copy_score desc, apart_days, copy_day, ours_row, theirs_row
  ) = 1
)
select
  ours_row, theirs_row, least(round(score + sum(copy_score) over (partition by ours_row, theirs_row), 9), 1.0) as score,
  is_ours, copy_row,
  is_first and row_number() over (
    partition by ours_row, theirs_row order by is_first desc, copy_day, copy_score desc, content, copy_row
  ) = 1 as is_first
from nearest
