-- step:  given_level
-- in:    run
-- out:   evidence_level(evidence, level, matched, chance, weight)
-- grain: one row per (evidence, level)
-- form:  computed
-- why:   stands for learned_level where the plan has the weights
select run_short from run
