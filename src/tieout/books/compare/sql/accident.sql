-- step:  accident
-- in:    infer_key_ours, infer_key_theirs
-- out:   accident(pairs)
-- grain: one row
-- why:   how many rows a unique amount pairs by accident: about as many as it would if all amounts of ours were a little
--        larger or smaller. Round amounts meet more often, so whole shifts are counted apart, and the kind that meets most counts
with
shift as (
  select kind, unnest(steps) as step
  from (
    values
      ('cents', [-0.07, -0.03, -0.01, 0.01, 0.03, 0.07]), ('units', [-7, -3, -1, 1, 3, 7]),
      ('tens', [-70, -30, -10, 10, 30, 70]), ('hundreds', [-700, -300, -100, 100, 300, 700])
  ) t(kind, steps)
),
ours as (select cast(key as decimal(24, 6)) as amount from infer_key_ours where rows = 1),
theirs as (select cast(key as decimal(24, 6)) as amount from infer_key_theirs where rows = 1),
met as (
  select s.kind, s.step, count(t.amount) as pairs
  from shift s
  cross join ours o
  left join theirs t on t.amount = o.amount + cast(s.step as decimal(9, 2))
  group by s.kind, s.step
)
select coalesce(max(pairs), 0) as pairs
from (select kind, avg(pairs) as pairs from met group by kind)
