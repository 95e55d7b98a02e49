-- step:  no_sample_expected
-- in:    ungrouped_expected
-- out:   sample_expected(place, entry_no)
-- grain: one row per (place)
-- why:   stands for sample_expected where the plan has the weights, so that none are learned
select 0::bigint as place, entry_no
from ungrouped_expected
limit 0
