-- step:  learned_level
-- in:    compared_candidate, sample_expected, sample_reported, equal_row, chance_level, currency_size
-- out:   evidence_level(evidence, level, matched, chance, weight)
-- grain: one row per (evidence, level)
-- form:  computed
-- why:   what each level of each evidence is worth, learned from the sampled rows, all their candidates and all
--        candidates of those. The row of the evidence `pair` has the share of rows that have a partner
with
near_ours as (
  select entry_no as ours_row from sample_expected
  union
  select ours_row from compared_candidate semi join sample_reported s on s.entry_no = theirs_row
),
near_theirs as (
  select entry_no as theirs_row from sample_reported
  union
  select theirs_row from compared_candidate semi join sample_expected s on s.entry_no = ours_row
),
near as (
  from compared_candidate
  where ours_row in (from near_ours) or theirs_row in (from near_theirs)
),
live as (
  from near
  anti join (from equal_row where is_match) o using (ours_row)
  anti join (from equal_row where is_match) t using (theirs_row)
)
select
  c.ours_row, c.theirs_row, c.ours_rows, c.theirs_rows, c.amount_level, c.time_level, c.text_level,
  c.unit_levels[1] as unit_1_level, c.unit_levels[2] as unit_2_level, c.unit_levels[3] as unit_3_level,
  c.unit_levels[4] as unit_4_level, c.unit_levels[5] as unit_5_level, c.unit_levels[6] as unit_6_level, c.amount_share,
  o.entry_no is not null as is_ours_sampled, t.entry_no is not null as is_theirs_sampled
from live c
left join sample_expected o on o.entry_no = c.ours_row
left join sample_reported t on t.entry_no = c.theirs_row
order by c.ours_content, c.theirs_content, c.ours_copy, c.theirs_copy
