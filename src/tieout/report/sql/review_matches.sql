-- query: review_matches
-- in:    match, unmatched_ours, unmatched_theirs, candidate, $limit
-- out:   match_id, ours_row, theirs_row, pass, confidence, alternatives, then day, amount_micros, currency, ref and
--        text of each side (ours_, theirs_), then score_time, score_amount, score_unit, score_text and, in bits, weight_pair, weight_amount,
--        weight_time, weight_text, weight_unit
-- grain: one row per (ours_row, theirs_row)
-- why:   a person confirms the likeliest first
with
top as (
  from "match"
  where outcome = 'review'
  order by confidence desc, ours_row, theirs_row
  limit $limit
),
evidence as (
  select
    ours_row, theirs_row, score_time, score_amount, score_unit, score_text, weight_pair, weight_amount, weight_time,
    weight_text, weight_unit
  from candidate
  where ours_row in (select ours_row from top)
)
select
  top.match_id,
  top.ours_row,
  top.theirs_row,
  top.pass,
  top.confidence,
  top.alternatives,
  ours.day as ours_day,
  ours.amount_micros as ours_amount_micros,
  ours.currency as ours_currency,
  ours.ref as ours_ref,
  ours.text as ours_text,
  theirs.day as theirs_day,
  theirs.amount_micros as theirs_amount_micros,
  theirs.currency as theirs_currency,
  theirs.ref as theirs_ref,
  theirs.text as theirs_text,
  evidence.score_time,
  evidence.score_amount,
  evidence.score_unit,
  evidence.score_text,
  evidence.weight_pair,
  evidence.weight_amount,
  evidence.weight_time,
  evidence.weight_text,
  evidence.weight_unit
from top
left join (from unmatched_ours where ours_row in (select ours_row from top)) ours on ours.ours_row = top.ours_row
left join (from unmatched_theirs where theirs_row in (select theirs_row from top)) theirs
  on theirs.theirs_row = top.theirs_row
left join evidence on evidence.ours_row = top.ours_row and evidence.theirs_row = top.theirs_row
order by top.confidence desc, top.ours_row, top.theirs_row
