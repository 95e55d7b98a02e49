-- step:  sent_twice
-- in:    scored_choice, scored_candidate, sum_row, equal_row, evidence_expected, evidence_reported, ungrouped_expected, ungrouped_reported, word_rarity, run
-- out:   sent_twice(ours_row, theirs_row, score, is_ours, copy_row, is_first)
-- grain: one row per (is_ours, copy_row)
-- why:   one payment sent twice stands twice on one side and once on the other. The second row is later, of the same amount
--        and party, and alone; where the other side has that amount of that party more than once about then, it recurs.
--        Which of the two is the partner the evidence cannot tell; by custom it is the first, so the chance of the pair is
--        that of both together. A copy before the one that was chosen (is_first) takes its place, where it could be the
--        partner and its words speak nearly as much for it (five bits). Copies of one amount weigh the same by it, which is asked first, for it is cheap
with
taken as (
  select ours_row, theirs_row from scored_choice
  union all
  select ours_row, theirs_row from sum_row
  union all
  select ours_row, theirs_row from equal_row where is_match
),
chosen as (
  select
    h.*, c.weight_amount, coalesce(c.weight_text, 0) + coalesce(c.weight_unit, 0) as said,
    hash(c.ours_content, c.theirs_content) as pair_content
  from scored_choice h
  join scored_candidate c on c.ours_row = h.ours_row and c.theirs_row = h.theirs_row
),
likely as materialized (
  select
    h.ours_row, h.theirs_row, h.score, h.pair_content, true as is_ours, c.ours_row as copy_row, c.score as copy_score,
    coalesce(c.weight_text, 0) + coalesce(c.weight_unit, 0) >= h.said - 5 as says_as_much
  from (from scored_candidate anti join (select ours_row from taken) using (ours_row)) c
  join chosen h on h.theirs_row = c.theirs_row and h.weight_amount = c.weight_amount
  union all
  select
    h.ours_row, h.theirs_row, h.score, h.pair_content, false, c.theirs_row, c.score,
    coalesce(c.weight_text, 0) + coalesce(c.weight_unit, 0) >= h.said - 5
  from (from scored_candidate anti join (select theirs_row from taken) using (theirs_row)) c
  join chosen h on h.ours_row = c.ours_row and h.weight_amount = c.weight_amount
),
equal as materialized (
  select y.*, l.day as copy_day, e.day, l.content, e.currency, e.amount_micros
  from likely y
  join evidence_expected e on e.entry_no = y.ours_row
  join evidence_expected l on l.entry_no = y.copy_row
  where is_ours and coalesce(l.amount_micros = e.amount_micros, false)
  union all
  select y.*, l.day, e.day, l.content, e.currency, e.amount_micros
  from likely y
  join evidence_reported e on e.entry_no = y.theirs_row
  join evidence_reported l on l.entry_no = y.copy_row
  where not is_ours and coalesce(l.amount_micros = e.amount_micros, false)
),
alike_in_amount as (
  select false as is_ours, entry_no, coalesce(currency, '') as currency, amount_micros, day, coalesce(text, '') as text, words
  from ungrouped_expected u
  where (coalesce(u.currency, ''), u.amount_micros) in (select currency, amount_micros from equal where not is_ours)
  union all
  select true, entry_no, coalesce(currency, ''), amount_micros, day, coalesce(text, ''), words
  from ungrouped_reported u
  where (coalesce(u.currency, ''), u.amount_micros) in (select currency, amount_micros from equal where is_ours)
),
coded as (
  select is_ours, entry_no, list_distinct(list(code)) as codes
  from (select is_ours, entry_no, unnest(words) as word from alike_in_amount)
  join word_rarity using (word)
  where code is not null
  group by all
),
placed as (
  select a.* exclude (words), coalesce(c.codes, []) as codes
  from alike_in_amount a
  left join coded c using (is_ours, entry_no)
),
termed as materialized (
  select *, coalesce(date_diff('day', date '1970-01-01', day) // (window_days + 1), 0) as term from placed cross join run
),
near as (select is_ours, entry_no, currency, amount_micros, unnest([term - 1, term, term + 1]) as met from termed),
crowded as (select is_ours, currency, amount_micros, met from near group by all having count(*) > 20),
single as (
  select q.ours_row, q.theirs_row, t.*
  from (select distinct is_ours, ours_row, theirs_row from equal) q
  join termed t on t.is_ours = q.is_ours and t.entry_no = if(q.is_ours, q.theirs_row, q.ours_row)
),
recurring as (
  select is_ours, ours_row, theirs_row
  from single
  semi join crowded c
    on c.is_ours = single.is_ours and c.currency = single.currency and c.amount_micros = single.amount_micros
      and c.met = single.term
  union
  select s.is_ours, s.ours_row, s.theirs_row
  from single s
  join (from near anti join crowded using (is_ours, currency, amount_micros, met)) n
    on n.is_ours = s.is_ours and n.currency = s.currency and n.amount_micros = s.amount_micros and n.met = s.term
      and n.entry_no <> s.entry_no
  join termed x on x.is_ours = n.is_ours and x.entry_no = n.entry_no
  where is_same_party(s.text, x.text, s.codes, x.codes)
),
lone_single as (from equal anti join recurring using (is_ours, ours_row, theirs_row)),
twin as (
  select q.*
  from lone_single q
  join evidence_expected e on e.entry_no = q.ours_row
  join evidence_expected l on l.entry_no = q.copy_row
  where is_ours and is_same_party(e.text, l.text, e.codes, l.codes)
  union all
  select q.*
  from lone_single q
  join evidence_reported e on e.entry_no = q.theirs_row
  join evidence_reported l on l.entry_no = q.copy_row
  where not is_ours and is_same_party(e.text, l.text, e.codes, l.codes)
),
possible as (
  select
    *, coalesce(copy_day < day, false) as is_first, abs(date_diff('day', day, copy_day)) as apart_days
  from twin
  cross join run
  where coalesce(apart_days <= window_days, true)
    and (not is_first or (copy_score >= alternative_threshold and says_as_much))
),
nearest as (
  select * from possible
  qualify row_number() over (
    partition by is_ours, copy_row order by copy_score desc, apart_days, copy_day, pair_content, ours_row, theirs_row
  ) = 1
)
select
  ours_row, theirs_row, least(round(score + sum(copy_score) over (partition by ours_row, theirs_row), 9), 1.0) as score,
  is_ours, copy_row,
  is_first and row_number() over (
    partition by ours_row, theirs_row order by is_first desc, copy_day, copy_score desc, content, copy_row
  ) = 1 as is_first
from nearest
