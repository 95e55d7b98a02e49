-- step:  rows
-- in:    added_row, staged_cell, run
-- out:   rows(__load, __row_no, __line, __day, __content, __occurrence, __key, …)
-- form:  fact
-- why:   the rows that the load adds, in the order of the file, with their identity and the file's own columns as text
select
  run.load as __load, s.__row_no, s.__line, a.day as __day, a.content as __content, a.occurrence as __occurrence,
  a.key as __key, s.* exclude (__row_no, __line)
from staged_cell s
join added_row a on a.row_no = s.__row_no
cross join run
order by s.__row_no
