-- query: export_matches
-- in:    match
-- out:   match_id, ours_row, theirs_row, pass, outcome, confidence, alternatives
-- grain: one row per (ours_row, theirs_row)
-- why:   what belongs together; a group has one line per pair of its members
from "match"
