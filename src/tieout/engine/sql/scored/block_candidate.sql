-- step:  block_candidate
-- in:    same_amount, near_amount, rare_text, same_unit, block_expected, block_reported, equal_row, sure_pair, run
-- out:   block_candidate(ours_row, theirs_row)
-- grain: one row per (ours_row, theirs_row)
-- why:   pairs worth comparing lie within the window (a row without a day lies within that of every row) and share an
--        amount, nearly an amount, a rare word or, without amounts, a hint. Two rows that both carry a reference and did not meet by it are not
--        paired by likeness. Rows that met as equals are settled; a copy of such a row is held against what it was
--        taken for. Rows of sure pairs are settled too
select ours_row, theirs_row
from (
  select p.ours_row, p.theirs_row
  from (from same_amount union from near_amount union from rare_text union from same_unit) p
  join block_expected o on o.entry_no = p.ours_row
  join block_reported t on t.entry_no = p.theirs_row
  cross join run
  where (o.ref is null or t.ref is null) and coalesce(abs(date_diff('day', o.day, t.day)) <= window_days, true)
  union all
  select ours_row, theirs_row
  from equal_row
  where not is_match
)
anti join (select ours_row from sure_pair) o using (ours_row)
anti join (select theirs_row from sure_pair) t using (theirs_row)
