-- step:  part_candidate
-- in:    loose_row, loose_word, evidence_level, run
-- out:   part_candidate(whole_side, whole_row, part_row, is_other_sign, lag_days, weight)
-- grain: one row per (whole_side, whole_row, part_row)
-- why:   which rows of the other side may be parts of a row: of its currency, within the window of sums, smaller, and
--        speaking of the same party, that is with a word in common that few loose rows near that day have. The weight,
--        in bits, is that of the time between them, as learned from pairs, and of the words that they share, by their
--        rarity, asked only of those that are not too far apart. Two rows that both carry a reference are not tied by
--        likeness. What is said is told by the hash of currency and word
with
placed as materialized (
  select w.side, w.entry_no, hash(r.currency, w.word) as said, r.term
  from loose_word w
  join loose_row r using (side, entry_no)
),
counted as (
  select said, term, count(*) filter (side = 'ours') as ours, count(*) filter (side = 'theirs') as theirs
  from placed
  group by all
),
around as (select said, unnest([term - 1, term, term + 1]) as term, ours from counted where ours > 0),
quiet as (
  select c.said, c.term
  from counted c
  join around a on a.said = c.said and a.term = c.term
  where c.theirs > 0
  group by c.said, c.term
  having sum(a.ours) * any_value(c.theirs) <= 600
),
telling as (
  select entry_no, said, unnest([term - 1, term, term + 1]) as met
  from (from placed where side = 'theirs')
  semi join quiet using (said, term)
),
met as (
  select distinct o.entry_no as ours_row, t.entry_no as theirs_row
  from (from placed where side = 'ours') o
  join telling t on t.said = o.said and t.met = o.term
),
-- Made before the rows of theirs are met, or of few rows all of ours are held against all of theirs.
met_ours as materialized (
  select
    m.ours_row, m.theirs_row, o.amount_micros as ours_micros, o.day as ours_day, o.has_ref as ours_has_ref
  from met m
  join loose_row o on o.side = 'ours' and o.entry_no = m.ours_row
),
near as (
  select
    m.ours_row, m.theirs_row, m.ours_micros, t.amount_micros as theirs_micros,
    date_diff('day', m.ours_day, t.day) as lag_days, coalesce(l.weight / 1e6, 0) as of_time
  from met_ours m
  join loose_row t on t.side = 'theirs' and t.entry_no = m.theirs_row
  cross join run
  left join evidence_level l on l.evidence = 'time' and l.level = time_level(date_diff('day', m.ours_day, t.day))
  where coalesce(abs(lag_days) <= window_days + window_days // 2, true) and not (m.ours_has_ref and t.has_ref)
    and abs(m.ours_micros) <> abs(t.amount_micros) and coalesce(l.weight, 0) > -8000000
),
ours_word as materialized (
  select n.ours_row, n.theirs_row, w.word, w.rarity
  from near n
  join loose_word w on w.side = 'ours' and w.entry_no = n.ours_row
),
shared as (
  select o.ours_row, o.theirs_row, sum(o.rarity) as rarity
  from ours_word o
  join loose_word t on t.side = 'theirs' and t.entry_no = o.theirs_row and t.word = o.word
  group by all
),
weighed as (
  select
    n.*, sign(n.ours_micros) <> sign(n.theirs_micros) as is_other_sign,
    round(least(s.rarity / ln(2), 16) + of_time, 6) as weight
  from near n
  join shared s using (ours_row, theirs_row)
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
