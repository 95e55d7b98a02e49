-- step:  unrejected_day_sum
-- in:    sum_row, decided_pair
-- out:   sum_row(match_id, ours_row, theirs_row, applied_micros, currency, kind, verdict, alternatives, outcome, confidence, reason)
-- grain: one row per (ours_row, theirs_row)
-- why:   a sum of which a reviewer rejected one pair is none
from sum_row
anti join (
  select match_id
  from sum_row
  semi join (from decided_pair where ruling = 'rejected') p using (ours_row, theirs_row)
) r using (match_id)
