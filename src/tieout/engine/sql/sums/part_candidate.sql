-- step:  part_candidate
-- in:    loose_row, loose_word, evidence_level, run
-- out:   part_candidate(whole_side, whole_row, part_row, is_other_sign, lag_days, weight)
-- grain: one row per (whole_side, whole_row, part_row)
-- why:   which rows of the other side may be parts of a row: of its currency, within the window of sums, smaller, and
--        speaking of the same party, that is with a word in common that few loose rows near that day have. The weight,
--        in bits, is that of the time between them, as learned from pairs, and of the words that they share, by their
--        rarity. Two rows that both carry a reference are not tied by likeness
with
placed as (
  select w.side, w.entry_no, w.word, r.currency, r.term
  from loose_word w
  join loose_row r using (side, entry_no)
),
ours as (select *, unnest([term - 1, term, term + 1]) as met from placed where side = 'ours'),
theirs as (select *, term as met from placed where side = 'theirs'),
quiet as (
  select currency, word, met
  from (
    select currency, word, met, 1 as ours, 0 as theirs from ours
    union all
    select currency, word, met, 0, 1 from theirs
  )
  group by all
  having sum(ours) * sum(theirs) between 1 and 600
),
telling as materialized (from ours semi join quiet using (currency, word, met)),
met as (
  select distinct o.entry_no as ours_row, t.entry_no as theirs_row
  from telling o
  join theirs t using (currency, word, met)
),
near as (
  select
    m.*, o.amount_micros as ours_micros, t.amount_micros as theirs_micros, date_diff('day', o.day, t.day) as lag_days
  from met m
  join loose_row o on o.side = 'ours' and o.entry_no = m.ours_row
  join loose_row t on t.side = 'theirs' and t.entry_no = m.theirs_row
  cross join run
  where coalesce(abs(lag_days) <= window_days + window_days // 2, true) and not (o.has_ref and t.has_ref)
    and o.amount_micros <> t.amount_micros
),
shared as (
  select n.ours_row, n.theirs_row, sum(o.rarity) as rarity
  from near n
  join loose_word o on o.side = 'ours' and o.entry_no = n.ours_row
  join loose_word t on t.side = 'theirs' and t.entry_no = n.theirs_row and t.word = o.word
  group by all
),
weighed as (
  select
    n.*, sign(n.ours_micros) <> sign(n.theirs_micros) as is_other_sign,
    round(least(s.rarity / ln(2), 16) + coalesce(l.weight / 1e6, 0), 6) as weight
  from near n
  join shared s using (ours_row, theirs_row)
  left join evidence_level l on l.evidence = 'time' and l.level = time_level(n.lag_days)
  where coalesce(l.weight, 0) > -8000000
),
part as (
  select 'ours' as whole_side, ours_row as whole_row, theirs_row as part_row, is_other_sign, lag_days, weight
  from weighed
  where abs(theirs_micros) < abs(ours_micros)
  union all
  select 'theirs', theirs_row, ours_row, is_other_sign, lag_days, weight
  from weighed
  where abs(ours_micros) < abs(theirs_micros)
)
from part
