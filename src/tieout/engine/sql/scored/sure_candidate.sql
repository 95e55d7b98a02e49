-- step:  sure_candidate
-- in:    judged_candidate, sure_pair
-- out:   sure_candidate(preference, ours_row, theirs_row, score, weight, weight_pair, weight_time, weight_amount, weight_unit, weight_text, ours_content, theirs_content, is_live, is_chosen)
-- grain: one row per (preference)
-- why:   the candidates that a sure pair ends: its own and those of its rows with others
from judged_candidate
where ours_row in (select ours_row from sure_pair) or theirs_row in (select theirs_row from sure_pair)
