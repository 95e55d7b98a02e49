-- step:  lacking_by_load
-- in:    lacking_row
-- out:   lacking_by_load(load, rows)
-- grain: one row per (load)
-- why:   whose rows the file lacks, for the message
select load, count(*) as rows
from lacking_row
group by load
order by load
