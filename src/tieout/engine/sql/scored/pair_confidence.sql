-- step:  pair_confidence
-- in:    weighed_candidate, equal_row
-- out:   pair_confidence(preference, confidence, is_chosen)
-- grain: one row per (preference)
-- form:  computed
-- why:   the one-to-one pairing of the largest weight, and of each candidate the chance that it belongs together
select preference, ours_row, theirs_row, weight, ours_content, theirs_content
from weighed_candidate
anti join (from equal_row where is_match) o using (ours_row)
anti join (from equal_row where is_match) t using (theirs_row)
order by preference
