-- step:  add_sum
-- in:    application_row, sum_row
-- out:   application_row(match_id, ours_row, theirs_row, applied_micros, currency, kind, verdict, alternatives, outcome, confidence, reason)
-- grain: one row per (ours_row, theirs_row)
-- why:   a part of a sum settles so much of the whole as it has
from application_row
union all
from sum_row
