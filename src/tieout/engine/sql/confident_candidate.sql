-- step:  confident_candidate
-- in:    weighed_candidate, pair_confidence
-- out:   scored_candidate(preference, ours_row, theirs_row, score, score_time, score_amount, score_unit, score_text, weight_pair, weight_time, weight_amount, weight_unit, weight_text, ours_content, theirs_content)
-- grain: one row per (preference)
-- why:   the score of a candidate is the chance that it belongs together; a copy left over is judged on its own, for the row
--        that it is held against is taken
select
  preference, ours_row, theirs_row,
  coalesce(p.confidence, round(1 / (1 + pow(2, -greatest(least(weight / 1e6, 60), -60))), 9)) as score,
  null::double as score_time, null::double as score_amount, null::double as score_unit, null::double as score_text,
  weight_pair / 1e6 as weight_pair, weight_time / 1e6 as weight_time, weight_amount / 1e6 as weight_amount,
  weight_unit / 1e6 as weight_unit, weight_text / 1e6 as weight_text, ours_content, theirs_content
from weighed_candidate
left join pair_confidence p using (preference)
