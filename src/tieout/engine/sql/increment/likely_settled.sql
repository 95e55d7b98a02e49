-- step:  likely_settled
-- in:    settled_pair, ungrouped_expected, currency_size, evidence_level, former_run
-- out:   settled_pair(ours_row, theirs_row, outcome, confidence, alternatives, score, score_time, score_amount, score_unit, score_text, weight_pair, weight_time, weight_amount, weight_unit, weight_text)
-- grain: one row per (ours_row)
-- why:   among more rows a pair needs more evidence. What spoke for a settled pair is weighed again with the number of rows
--        that there are by now, and a pair that is no longer nearly certain takes part anew
select p.*
from settled_pair p
join ungrouped_expected o on o.entry_no = p.ours_row
join currency_size z on z.currency = coalesce(o.currency, '')
join evidence_level e on e.evidence = 'pair'
cross join former_run f
where p.weight_pair is not null
  and coalesce(p.weight_time, 0) + coalesce(p.weight_amount, 0) + coalesce(p.weight_unit, 0) + coalesce(p.weight_text, 0)
    + log2(
      e.matched * least(z.ours_rows, z.theirs_rows)
      / ((z.ours_rows - e.matched * least(z.ours_rows, z.theirs_rows))
        * (z.theirs_rows - e.matched * least(z.ours_rows, z.theirs_rows)))
    ) >= f.least_weight
