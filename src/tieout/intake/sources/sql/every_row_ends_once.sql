-- step:  every_row_ends_once
-- in:    staged_row, arriving_row, added_row, current_row, superseded_row
-- out:   every_row_ends_once(rule, rows_in, rows_out)
-- form:  check
-- why:   each row of the file is added, was known or is refused, and what was superseded was current
select rule, rows_in, rows_out
from (
  select
    'rows of the file' as rule,
    (select count(*) from staged_row) as rows_in,
    (select count(*) from added_row)
      + (select count(*) from arriving_row semi join current_row using (content, occurrence))
      + (select count(*) from staged_row where refusal is not null) as rows_out
  union all
  select
    'superseded rows',
    (select count(*) from superseded_row),
    (select count(*) from current_row semi join superseded_row using (load, content, occurrence))
)
where rows_in <> rows_out
