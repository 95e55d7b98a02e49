-- step:  head_cell
-- in:    head
-- out:   head_cell(name, cell)
-- why:   the cells of the first rows, column by column, to find out which column holds days; empty ones are left out
select name, cell
from (unpivot head on columns(*) into name name value cell)
