-- step:  refused_row
-- in:    read_cell
-- out:   refused_row(file_no, row_no, line, column, code, reason)
-- grain: one row per (file_no, row_no)
-- why:   the rows that go to quarantine: the first refusal names the column and the code, the reason tells all of them
select
  file_no,
  row_no,
  line,
  refusals[1]."column" as "column",
  refusals[1].code as code,
  array_to_string(
    list_transform(
      refusals, lambda one: one."column" || coalesce(': ''' || one.said || '''', '') || ' ' || one.words
    ),
    '; '
  ) as reason
from read_cell
where len(refusals) > 0
