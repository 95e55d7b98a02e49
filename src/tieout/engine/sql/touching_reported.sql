-- step:  touching_reported
-- in:    every_block_reported, settled_pair, reopened_row
-- out:   block_reported(entry_no, …)
-- grain: one row per (entry_no)
-- why:   the rows of theirs that a round looks at: those opened again, and those of settled pairs. A mark behind the currency,
--        in which all candidates agree, keeps each kind to the other kind of the other side, so that nothing settled is
--        held against what is settled. Fewer rows crowd a block less, so no candidate of all rows is left out
select b.* replace (b.currency || '<' as currency)
from every_block_reported b
semi join (from reopened_row where side = 'theirs') a using (entry_no)
union all
select b.* replace (b.currency || '>' as currency)
from every_block_reported b
semi join settled_pair p on p.theirs_row = b.entry_no
