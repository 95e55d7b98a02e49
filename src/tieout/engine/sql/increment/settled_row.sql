-- step:  settled_row
-- in:    run
-- out:   settled_row(ours_row, theirs_row, outcome, confidence, alternatives, score, score_time, score_amount, score_unit, score_text, weight_pair, weight_time, weight_amount, weight_unit, weight_text)
-- form:  computed
-- why:   what the run before this one left: its scored pairs, with what their evidence weighed, and its open rows, which
--        have no partner. Rows are numbered as in the facts
select run_short from run
