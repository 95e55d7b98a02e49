-- step:  difference
-- in:    differing, run
-- out:   difference(match_id, ours_row, theirs_row, column, ours_value, theirs_value, difference_micros)
-- grain: one row per (ours_row, "column")
-- form:  fact
-- why:   one row for each compared column in which a pair differs. Which columns are compared, and how, only the plan
--        knows: the macro differing_cells is made for it, with null for a cell that agrees
select
  match_id + ours_offset as match_id, ours_row + ours_offset as ours_row, theirs_row + theirs_offset as theirs_row,
  cell."column", cell.ours_value, cell.theirs_value, cell.difference_micros
from (
  select
    match_id, ours_row, theirs_row, ours_offset, theirs_offset,
    unnest(differing_cells(
      expected_micros, reported_micros, expected_currency <> reported_currency, expected_compared, reported_compared,
      tolerance_micros, tolerance_ppm, window_days
    )) as cell
  from differing
  cross join run
)
where cell is not null
order by ours_row, cell.position
