-- step:  lag
-- in:    infer_value_ours, infer_value_theirs
-- out:   lag(lag_days, pairs)
-- grain: one row per (lag_days)
-- why:   how many days theirs is after ours on rows that a unique amount pairs; the true lags stand out from the even
--        scatter of amounts that are equal by accident
select date_diff('day', o.day, t.day) as lag_days, count(*) as pairs
from infer_value_ours o
join infer_value_theirs t using (pair_no)
where o.domain = 'day' and t.domain = 'day' and o.column_no = $ours_no and t.column_no = $theirs_no
group by lag_days
order by lag_days
