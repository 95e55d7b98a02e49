-- query: csv_matches
-- in:    match
-- out:   match_id, ours_row, theirs_row, "pass,outcome,confidence,alternatives"
-- grain: one row per (ours_row, theirs_row)
-- why:   export_matches for a CSV without quotes: what nearly all of ten million lines end with is spelt once
select
  match_id,
  ours_row,
  theirs_row,
  case
    when pass = 'reference' and outcome = 'auto' and confidence = 1 and alternatives = 0 then 'reference,auto,1.0,0'
    else concat_ws(
      ',', coalesce(pass, ''), coalesce(outcome, ''), coalesce(confidence::text, ''), coalesce(alternatives::text, '')
    )
  end as "pass,outcome,confidence,alternatives"
from "match"
