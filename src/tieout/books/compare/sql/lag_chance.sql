-- step:  lag_chance
-- in:    infer_dated_ours, infer_dated_theirs
-- out:   lag_chance(distance_days, pairs)
-- grain: one row per (distance_days)
-- why:   in how many pairs of any row of ours and any of theirs the days lie so far apart: the proportions in which amounts
--        that are equal by accident do, for days are neither used evenly nor without end
select abs(date_diff('day', o.day, t.day)) as distance_days, sum(cast(o.rows as double) * t.rows) as pairs
from (select day, count(*) as rows from infer_dated_ours group by day) o
join (select day, count(*) as rows from infer_dated_theirs group by day) t on t.day between o.day - $days and o.day + $days
group by distance_days
order by distance_days
