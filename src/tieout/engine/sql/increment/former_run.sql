-- step:  former_run
-- in:    run
-- out:   former_run(ours_rows, theirs_rows, least_confidence, least_weight)
-- form:  computed
-- why:   which rows are new: those numbered beyond the rows of the run before; and from when on a pair is settled
select run_short from run
