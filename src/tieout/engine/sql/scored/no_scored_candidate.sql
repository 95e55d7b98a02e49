-- step:  no_scored_candidate
-- in:    reference_join
-- out:   scored_candidate(preference, ours_row, theirs_row, score, score_time, score_amount, score_unit, score_text, weight_pair, weight_time, weight_amount, weight_unit, weight_text, ours_content, theirs_content)
-- grain: one row per (preference)
-- why:   stands for score_candidate where nothing can be scored
select
  ours_row as preference, ours_row, theirs_row, 1.0::double as score, 1.0::double as score_time,
  1.0::double as score_amount, 1.0::double as score_unit, 1.0::double as score_text,
  null::double as weight_pair, null::double as weight_time, null::double as weight_amount,
  null::double as weight_unit, null::double as weight_text,
  '' as ours_content,
  '' as theirs_content
from reference_join
limit 0
