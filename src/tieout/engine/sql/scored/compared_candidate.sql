-- step:  compared_candidate
-- in:    block_candidate, evidence_expected, evidence_reported, currency_size
-- out:   compared_candidate(ours_row, theirs_row, ours_rows, theirs_rows, amount_level, time_level, text_level, unit_levels, amount_share, gap_micros, lag_days, disagrees, ours_content, theirs_content, ours_copy, theirs_copy)
-- grain: one row per (ours_row, theirs_row)
-- why:   at which level each candidate stands for each evidence; null where a side lacks it. An equal amount tells the
--        more, the smaller its share of the rows
with
met as (
  select
    c.ours_row, c.theirs_row, o.amount_micros as ours_micros, t.amount_micros as theirs_micros,
    gap_share(o.amount_micros, t.amount_micros) as gap_share, date_diff('day', o.day, t.day) as days,
    spelling(o.text, t.text, o.words_in_order, t.words_in_order) as spelling, o.initials = t.initials as begins_alike,
    shared_rarity(o.codes, t.codes) as rarity,
    unit_levels(o.units, t.units) as unit_levels,
    o.ours_rows, o.theirs_rows, o.amount_share, o.said <> t.said as disagrees, o.content as ours_content, t.content as theirs_content,
    o.copy_no as ours_copy, t.copy_no as theirs_copy
  from block_candidate c
  join (from evidence_expected left join currency_size using (currency)) o on o.entry_no = c.ours_row
  join evidence_reported t on t.entry_no = c.theirs_row
)
select
  ours_row, theirs_row, greatest(coalesce(ours_rows, 0), 1) as ours_rows,
  greatest(coalesce(theirs_rows, 0), 1) as theirs_rows,
  amount_level(ours_micros, theirs_micros, gap_share)::tinyint as amount_level, time_level(days)::tinyint as time_level,
  text_level(spelling, begins_alike, rarity)::smallint as text_level, unit_levels, if(ours_micros = theirs_micros, amount_share, null) as amount_share,
  abs(ours_micros::hugeint - theirs_micros)::ubigint as gap_micros, abs(days)::integer as lag_days, disagrees, ours_content,
  theirs_content, ours_copy, theirs_copy
from met
