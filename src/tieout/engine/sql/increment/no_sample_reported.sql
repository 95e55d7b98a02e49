-- step:  no_sample_reported
-- in:    ungrouped_reported
-- out:   sample_reported(place, entry_no)
-- grain: one row per (place)
-- why:   stands for sample_reported where the plan has the weights, so that none are learned
select 0::bigint as place, entry_no
from ungrouped_reported
limit 0
