-- step:  lag
-- in:    infer_key_ours, infer_key_theirs, infer_dated_ours, infer_dated_theirs
-- out:   lag(lag_days, pairs)
-- grain: one row per (lag_days)
-- why:   how many days theirs is after ours on rows that a unique amount pairs; the true lags stand out from the even
--        scatter of amounts that are equal by accident. Of many pairs 4,000, picked by the hash of the key: a tail of a
--        hundredth a day is then told from accident, and days of the week are not
with pair as (
  select o.row_no as ours_row, t.row_no as theirs_row
  from infer_key_ours o
  join infer_key_theirs t using (key)
  where o.rows = 1 and t.rows = 1
  order by hash(key), key
  limit 4000
)
select date_diff('day', o.day, t.day) as lag_days, count(*) as pairs
from pair
join infer_dated_ours o on o.row_no = pair.ours_row
join infer_dated_theirs t on t.row_no = pair.theirs_row
group by lag_days
order by lag_days
