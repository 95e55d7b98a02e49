-- step:  no_application_row
-- in:    reference_join
-- out:   application_row(match_id, ours_row, theirs_row, applied_micros, currency, kind, verdict, alternatives, outcome, confidence, reason)
-- grain: one row per (ours_row, theirs_row)
-- why:   stands for the applications where none are looked for
select
  ours_row as match_id, ours_row, theirs_row, 0::bigint as applied_micros, '' as currency, '' as kind, '' as verdict,
  0 as alternatives, 'auto' as outcome, 1.0::double as confidence, '' as reason
from reference_join
limit 0
