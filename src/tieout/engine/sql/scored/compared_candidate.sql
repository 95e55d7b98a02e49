-- step:  compared_candidate
-- in:    block_candidate, evidence_expected, evidence_reported, currency_size, ungrouped_expected, ungrouped_reported
-- out:   compared_candidate(ours_row, theirs_row, ours_rows, theirs_rows, amount_level, time_level, text_level, unit_1_level, unit_2_level, unit_3_level, unit_4_level, unit_5_level, unit_6_level, amount_share, gap_micros, lag_days, disagrees, ours_content, theirs_content, ours_copy, theirs_copy)
-- grain: one row per (ours_row, theirs_row)
-- why:   at which level each candidate stands for each evidence; null where a side lacks it. The share of an equal amount
--        is that of the other rows that have it, at least that of pairs that have any amount in common by chance
with
amount_of as (
  select coalesce(currency, '') as currency, amount_micros, 1 as ours, 0 as theirs from ungrouped_expected
  union all
  select coalesce(currency, ''), amount_micros, 0, 1 from ungrouped_reported
),
total as (select currency, sum(ours) as ours_rows, sum(theirs) as theirs_rows from amount_of group by currency),
amount_size as (
  select currency, amount_micros, sum(ours) as ours_times, sum(theirs) as theirs_times
  from amount_of
  where amount_micros is not null
  group by all
  having ours_times > 0 and theirs_times > 0
),
common as (
  select currency, (sum(ours_times * theirs_times - 1) + 0.05) / any_value(ours_rows * theirs_rows) as chance_share
  from amount_size
  join total using (currency)
  group by currency
),
amount_share as (
  select
    currency, amount_micros,
    greatest(
      (ours_times + theirs_times - 2)::double / greatest(ours_rows + theirs_rows - 2, 1), chance_share::double, 1e-7
    ) as share
  from amount_size
  join total using (currency)
  join common using (currency)
),
met as (
  select
    c.ours_row, c.theirs_row, o.amount_micros as ours_micros, t.amount_micros as theirs_micros,
    gap_share(o.amount_micros, t.amount_micros) as gap_share, date_diff('day', o.day, t.day) as days,
    spelling(o.text, t.text, o.words_in_order, t.words_in_order) as spelling, o.initials = t.initials as begins_alike,
    shared_rarity(o.codes, t.codes) as rarity,
    unit_level(o.unit_1, t.unit_1) as unit_1_level, unit_level(o.unit_2, t.unit_2) as unit_2_level,
    unit_level(o.unit_3, t.unit_3) as unit_3_level, unit_level(o.unit_4, t.unit_4) as unit_4_level,
    unit_level(o.unit_5, t.unit_5) as unit_5_level, unit_level(o.unit_6, t.unit_6) as unit_6_level,
    o.currency, o.said <> t.said as disagrees, o.content as ours_content, t.content as theirs_content,
    o.copy_no as ours_copy, t.copy_no as theirs_copy
  from block_candidate c
  join evidence_expected o on o.entry_no = c.ours_row
  join evidence_reported t on t.entry_no = c.theirs_row
)
select
  ours_row, theirs_row, greatest(coalesce(z.ours_rows, 0), 1) as ours_rows,
  greatest(coalesce(z.theirs_rows, 0), 1) as theirs_rows,
  amount_level(ours_micros, theirs_micros, gap_share) as amount_level, time_level(days) as time_level,
  text_level(spelling, begins_alike, rarity) as text_level, unit_1_level, unit_2_level, unit_3_level, unit_4_level,
  unit_5_level, unit_6_level, if(ours_micros = theirs_micros, least(s.share, 1.0), null) as amount_share,
  abs(ours_micros::hugeint - theirs_micros) as gap_micros, abs(days) as lag_days, disagrees, ours_content,
  theirs_content, ours_copy, theirs_copy
from met
left join currency_size z using (currency)
left join amount_share s on s.currency = met.currency and s.amount_micros = met.ours_micros
