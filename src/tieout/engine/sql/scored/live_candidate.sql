-- step:  live_candidate
-- in:    scored_candidate, scored_choice, equal_row, run
-- out:   live_candidate(preference, ours_row, theirs_row, score, ours_content, theirs_content)
-- grain: one row per (preference)
-- why:   the candidates that reach the review threshold and whose rows are both still free
select preference, ours_row, theirs_row, score, ours_content, theirs_content
from scored_candidate
anti join scored_choice o using (ours_row)
anti join scored_choice t using (theirs_row)
anti join (from equal_row where is_match) eo using (ours_row)
anti join (from equal_row where is_match) et using (theirs_row)
cross join run
where score >= review_threshold
