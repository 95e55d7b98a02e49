-- step:  sure_pair
-- in:    judged_candidate, compared_candidate
-- out:   sure_pair(ours_row, theirs_row)
-- grain: one row per (ours_row)
-- why:   most pairs of an equal amount are sure before rows whose amounts are merely near are looked at, which is where
--        nearly all candidates are; their rows need not be held against those
select ours_row, theirs_row
from judged_candidate
semi join (from compared_candidate where amount_level = 0) c using (ours_row, theirs_row)
where is_chosen and score >= 0.999
