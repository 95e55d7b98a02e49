-- step:  add_settled_candidate
-- in:    scored_candidate, settled_pair
-- out:   scored_candidate(preference, ours_row, theirs_row, score, score_time, score_amount, score_unit, score_text, weight_pair, weight_time, weight_amount, weight_unit, weight_text, ours_content, theirs_content)
-- grain: one row per (preference)
-- why:   a pair that stands keeps what its evidence weighed on the day on which it was settled, so that it can be explained
from scored_candidate
union all
select
  (select coalesce(max(preference), 0) from scored_candidate) + row_number() over (order by ours_row) as preference,
  ours_row, theirs_row, score, score_time, score_amount, score_unit, score_text, weight_pair, weight_time,
  weight_amount, weight_unit, weight_text, null, null
from settled_pair
