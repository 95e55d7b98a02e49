-- step:  superseded_by_load
-- in:    superseded_row
-- out:   superseded_by_load(load, rows, first_day, last_day)
-- grain: one row per (load)
-- why:   whose rows the load supersedes, for its record
select load, count(*) as rows, min(day) as first_day, max(day) as last_day
from superseded_row
group by load
order by load
