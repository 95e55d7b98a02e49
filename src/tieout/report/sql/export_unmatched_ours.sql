-- query: export_unmatched_ours
-- in:    unmatched_ours
-- out:   ours_row, reason_code, searched, amount, currency, day, ref, text, …
-- grain: one row per (ours_row)
-- why:   rows of ours without a counterpart, with the file's own columns beside them, each prefixed ours_
select
  ours_row,
  reason_code,
  searched,
  units(amount_micros) as amount,
  * exclude (ours_row, reason_code, searched, amount_micros)
from unmatched_ours
