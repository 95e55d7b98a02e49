-- step:  no_scored_match
-- in:    reference_join
-- out:   scored_match(ours_row, theirs_row, pass, outcome, confidence, alternatives, margin)
-- grain: one row per (ours_row)
-- why:   stands for score_match where nothing can be scored
select
  ours_row, theirs_row, 'scored' as pass, 'auto' as outcome, 1.0::double as confidence, 0 as alternatives, null::double as margin
from reference_join
limit 0
