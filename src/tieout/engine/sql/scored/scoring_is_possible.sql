-- step:  scoring_is_possible
-- in:    ungrouped_expected, ungrouped_reported, run
-- out:   scoring(is_possible)
-- why:   two rows that both carry a reference and did not meet by it are not paired by likeness, so where all that is
--        left carries one, or one side has nothing left, the scored pass has nothing to do
select
  is_scored
    and (select count(*) from ungrouped_expected) > 0
    and (select count(*) from ungrouped_reported) > 0
    and (
      (select count(*) from ungrouped_expected where ref is null) > 0
      or (select count(*) from ungrouped_reported where ref is null) > 0
    ) as is_possible
from run
