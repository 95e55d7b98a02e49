-- query: export_applications
-- in:    application
-- out:   match_id, ours_row, theirs_row, applied, currency, kind, verdict, outcome, confidence, reason
-- grain: one row per (ours_row, theirs_row)
-- why:   how much of which payment settles which invoice, in units of its currency
select
  match_id,
  ours_row,
  theirs_row,
  units(applied_micros) as applied,
  currency,
  kind,
  verdict,
  outcome,
  confidence,
  reason
from application
