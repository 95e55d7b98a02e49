-- step:  block_candidate
-- in:    same_amount, near_amount, rare_text, same_unit, block_expected, block_reported, equal_row, sure_pair
-- out:   block_candidate(ours_row, theirs_row)
-- grain: one row per (ours_row, theirs_row)
-- why:   pairs worth comparing lie within the window (a row without a day lies within that of every row) and share an
--        amount, nearly an amount, a rare word or, without amounts, a hint. Two rows that both carry a reference and did not meet by it are not
--        paired by likeness. Rows that met as equals are settled; a copy of such a row is held against what it was
--        taken for. Rows of sure pairs are settled too, and rows that are no longer among those to look at
--        (as marks, for a semi join would hold the pairs, which are more than the rows)
with
pair as (
  from same_amount
  union all
  from near_amount
  union all
  from rare_text
  union all
  from same_unit
),
open_pair as (
  from pair
  anti join (select ours_row from sure_pair) o using (ours_row)
  anti join (select theirs_row from sure_pair) t using (theirs_row)
  where coalesce(ours_row in (select entry_no from block_expected), false)
    and coalesce(theirs_row in (select entry_no from block_reported), false)
)
select distinct ours_row, theirs_row from open_pair
union all
select ours_row, theirs_row
from equal_row
anti join (select ours_row from sure_pair) o using (ours_row)
anti join (select theirs_row from sure_pair) t using (theirs_row)
where not is_match
