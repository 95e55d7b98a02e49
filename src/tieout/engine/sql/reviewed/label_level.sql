-- step:  label_level
-- in:    decided_pair, decided_expected, decided_reported, word_rarity, ungrouped_expected, ungrouped_reported
-- out:   label_level(ours_row, theirs_row, amount_level, time_level, text_level, unit_1_level, unit_2_level, unit_3_level, unit_4_level, unit_5_level, unit_6_level)
-- grain: one row per (ours_row, theirs_row)
-- why:   at which level the pairs that a reviewer accepted stand for each evidence: in learning they are known to belong
--        together. Words count as what they mean; one that only such a pair has is as rare as two rows make it
with
size as (
  select (select count(*) from ungrouped_expected) + (select count(*) from ungrouped_reported) as every
),
accepted as (from decided_pair where ruling = 'accepted'),
ours_said as materialized (
  select p.ours_row, p.theirs_row, o.words from accepted p join decided_expected o on o.entry_no = p.ours_row
),
theirs_said as materialized (
  select p.ours_row, p.theirs_row, t.words from accepted p join decided_reported t on t.entry_no = p.theirs_row
),
ours_meant as (
  select distinct w.ours_row, w.theirs_row, coalesce(r.meant, w.word) as word
  from (select ours_row, theirs_row, unnest(words) as word from ours_said) w
  left join word_rarity r using (word)
),
theirs_meant as (
  select distinct w.ours_row, w.theirs_row, coalesce(r.meant, w.word) as word
  from (select ours_row, theirs_row, unnest(words) as word from theirs_said) w
  left join word_rarity r using (word)
),
shared as (from ours_meant semi join theirs_meant using (ours_row, theirs_row, word)),
rare as (
  select ours_row, theirs_row, round(sum(coalesce(rarity, ln(every + 2) - ln(2))), 5) as rarity
  from shared
  left join word_rarity using (word)
  cross join size
  group by all
)
select
  p.ours_row, p.theirs_row,
  if(
    coalesce(o.currency, '') = coalesce(t.currency, ''),
    amount_level(o.amount_micros, t.amount_micros, gap_share(o.amount_micros, t.amount_micros)), null
  ) as amount_level,
  time_level(date_diff('day', o.day, t.day)) as time_level,
  text_level(
    spelling(
      coalesce(o.text, ''), coalesce(t.text, ''), array_to_string(o.words, ' '), array_to_string(t.words, ' ')
    ),
    list_transform(string_split(coalesce(o.text, ''), ' ')[1:2], lambda w: left(w, 1))
      = list_transform(string_split(coalesce(t.text, ''), ' ')[1:2], lambda w: left(w, 1)),
    coalesce(rare.rarity, 0)
  ) as text_level,
  unit_level(o.units[1], t.units[1]) as unit_1_level,
  unit_level(o.units[2], t.units[2]) as unit_2_level,
  unit_level(o.units[3], t.units[3]) as unit_3_level,
  unit_level(o.units[4], t.units[4]) as unit_4_level,
  unit_level(o.units[5], t.units[5]) as unit_5_level,
  unit_level(o.units[6], t.units[6]) as unit_6_level
from decided_pair p
join decided_expected o on o.entry_no = p.ours_row
join decided_reported t on t.entry_no = p.theirs_row
left join rare on rare.ours_row = p.ours_row and rare.theirs_row = p.theirs_row
where p.ruling = 'accepted'
