-- query: export_unmatched_theirs
-- in:    unmatched_theirs
-- out:   theirs_row, reason_code, searched, amount, currency, day, ref, text, …
-- grain: one row per (theirs_row)
-- why:   rows of theirs without a counterpart, with the file's own columns beside them, each prefixed theirs_
select
  theirs_row,
  reason_code,
  searched,
  units(amount_micros) as amount,
  * exclude (theirs_row, reason_code, searched, amount_micros)
from unmatched_theirs
