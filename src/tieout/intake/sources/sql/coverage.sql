-- step:  coverage
-- in:    arriving_row
-- out:   coverage(first_day, last_day, undated)
-- why:   a statement covers every day from its first to its last, those without a row in it too; rows without a day are
--        covered by a file that has such rows
select min(day) as first_day, max(day) as last_day, count(*) filter (day is null) as undated
from arriving_row
