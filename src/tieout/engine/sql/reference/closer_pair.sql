-- step:  closer_pair
-- in:    reference_join
-- out:   closer_pair(ours_row, theirs_row)
-- why:   the pairs that differ and the rows without a partner: all that later steps read of the join but for its count
select ours_row, theirs_row
from reference_join
where differs or ours_row is null or theirs_row is null
