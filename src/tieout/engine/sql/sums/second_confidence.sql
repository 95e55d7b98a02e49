-- step:  second_confidence
-- in:    second_candidate
-- out:   second_confidence(preference, confidence, is_chosen)
-- grain: one row per (preference)
-- form:  computed
-- why:   the second candidates are chosen among as a whole, as the first were (pair_confidence)
select preference, ours_row, theirs_row, weight, ours_content, theirs_content
from second_candidate
order by preference
