-- step:  lacking_by_day
-- in:    lacking_row
-- out:   lacking_by_day(day, rows)
-- grain: one row per (day)
-- why:   on which days the file lacks rows, for the message
select day, count(*) as rows
from lacking_row
group by day
order by day
