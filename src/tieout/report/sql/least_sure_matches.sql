-- query: least_sure_matches
-- in:    match, $limit
-- out:   match_id, ours_row, theirs_row, pass, outcome, confidence, alternatives
-- grain: one row per (ours_row, theirs_row)
-- why:   a sheet cannot hold ten million matches, so it has those that a person should look at, then the first of the
--        certain ones in file order, which the files of a run are in
with
unsure as (
  from "match"
  where confidence < 1 or outcome <> 'auto'
  order by outcome desc, confidence, ours_row, theirs_row
  limit $limit
)
from unsure
union all
(
  from "match"
  where confidence >= 1 and outcome = 'auto'
  limit (select $limit - count(*) from unsure)
)
