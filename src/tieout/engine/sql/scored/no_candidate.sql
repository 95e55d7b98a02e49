-- step:  no_candidate
-- in:    reference_join
-- out:   candidate(ours_row, theirs_row, score, score_time, score_amount, score_unit, score_text, weight_pair, weight_time, weight_amount, weight_unit, weight_text, rank, chosen)
-- grain: one row per (ours_row, theirs_row)
-- form:  fact
-- why:   stands for candidate where nothing can be scored
select
  ours_row, theirs_row, 1.0::double as score, 1.0::double as score_time, 1.0::double as score_amount,
  1.0::double as score_unit, 1.0::double as score_text, null::double as weight_pair, null::double as weight_time, null::double as weight_amount,
  null::double as weight_unit, null::double as weight_text,
  1::integer as rank, false as chosen
from reference_join
limit 0
