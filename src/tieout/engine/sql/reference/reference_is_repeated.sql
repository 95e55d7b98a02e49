-- step:  reference_is_repeated
-- in:    reference_join, run
-- out:   reference_repeat(is_repeated)
-- why:   with o rows of ours and t of theirs behind a shared reference the join holds o*t pairs. Pairs plus lone
--        rows equal the rows of a side for both sides exactly when every shared reference stands once on each,
--        so counting proves that the join is one to one without grouping it.
select
  count(*) filter (ours_row is not null) <> (select ours_rows from run)
    or count(*) filter (theirs_row is not null) <> (select theirs_rows from run) as is_repeated
from reference_join
