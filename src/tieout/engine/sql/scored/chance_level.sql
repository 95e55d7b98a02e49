-- step:  chance_level
-- in:    chance_pair, evidence_expected, evidence_reported
-- out:   chance_level(evidence, level, pairs)
-- grain: one row per (evidence, level)
-- why:   how often pairs that chance brought together stand at each level of each evidence
with
compared as (
  select
    amount_level(o.amount_micros, t.amount_micros, gap_share(o.amount_micros, t.amount_micros)) as amount_level,
    time_level(date_diff('day', o.day, t.day)) as time_level,
    text_level(
      spelling(o.text, t.text, o.words_in_order, t.words_in_order), o.initials = t.initials,
      shared_rarity(o.codes, t.codes)
    ) as text_level,
    unit_levels(o.units, t.units) as unit_levels
  from chance_pair c
  join evidence_expected o on o.entry_no = c.ours_row
  join evidence_reported t on t.entry_no = c.theirs_row
  where coalesce(o.currency = t.currency, false)
),
levels as (
  select
    * exclude (unit_levels), unit_levels[1] as unit_1_level, unit_levels[2] as unit_2_level,
    unit_levels[3] as unit_3_level, unit_levels[4] as unit_4_level, unit_levels[5] as unit_5_level,
    unit_levels[6] as unit_6_level
  from compared
),
turned as (
  unpivot levels
  on amount_level, time_level, text_level, unit_1_level, unit_2_level, unit_3_level, unit_4_level, unit_5_level, unit_6_level
  into name evidence value level
)
select replace(evidence, '_level', '') as evidence, level, count(*) as pairs
from turned
group by all
