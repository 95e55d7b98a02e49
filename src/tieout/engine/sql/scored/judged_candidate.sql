-- step:  judged_candidate
-- in:    weighed_candidate, pair_confidence
-- out:   judged_candidate(preference, ours_row, theirs_row, score, weight, weight_pair, weight_time, weight_amount, weight_unit, weight_text, ours_content, theirs_content, is_live, is_chosen)
-- grain: one row per (preference)
-- why:   the score of a candidate is the chance that it belongs together; a copy left over (not is_live) is judged on its
--        own, for the row that it is held against is taken
select
  preference, ours_row, theirs_row,
  coalesce(p.confidence, round(1 / (1 + pow(2, -greatest(least(weight / 1e6, 60), -60))), 9)) as score,
  weight, weight_pair, weight_time, weight_amount, weight_unit, weight_text, ours_content, theirs_content,
  p.preference is not null as is_live, coalesce(p.is_chosen, false) as is_chosen
from weighed_candidate
left join pair_confidence p using (preference)
