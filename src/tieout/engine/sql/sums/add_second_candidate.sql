-- step:  add_second_candidate
-- in:    scored_candidate, second_candidate, second_confidence
-- out:   scored_candidate(preference, ours_row, theirs_row, score, score_time, score_amount, score_unit, score_text, weight_pair, weight_time, weight_amount, weight_unit, weight_text, ours_content, theirs_content)
-- grain: one row per (preference)
-- why:   what the second look considered is explained like what the first did
from scored_candidate
union all by name
select
  preference, ours_row, theirs_row, p.confidence as score, weight_pair / 1e6 as weight_pair,
  weight_time / 1e6 as weight_time, weight_amount / 1e6 as weight_amount, weight_unit / 1e6 as weight_unit,
  weight_text / 1e6 as weight_text, ours_content, theirs_content
from second_candidate
join second_confidence p using (preference)
