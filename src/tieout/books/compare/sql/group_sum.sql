-- step:  group_sum
-- in:    infer_member
-- out:   group_sum(ours_no, theirs_no, groups, many, equal, opposite, hundredfold, hundredth, opposite_hundredfold, opposite_hundredth, many_tied, many_row_equal, row_equal)
-- grain: one row per (ours_no, theirs_no)
-- why:   rows that share a group key belong together when their amounts sum to the other side's. For every amount of
--        ours and of theirs: how many groups tie in sum (as they stand, with the other sign, as cents), how many have
--        several rows on a side, how many of those tie in sum whatever the sign or the scale, and in how many of those
--        a single row of ours equals a single row of theirs instead (row_equal: in all groups).
with
total as (
  select side, key, amount_no, sum(amount) as amount, count(*) as members
  from infer_member
  group by all
),
tie as (
  select
    o.key,
    o.amount_no as ours_no,
    t.amount_no as theirs_no,
    o.members + t.members > 2 as is_many,
    o.amount = t.amount as is_equal,
    o.amount = -t.amount as is_opposite,
    o.amount = t.amount::decimal(38, 6) * 100 as is_hundredfold,
    o.amount::decimal(38, 6) * 100 = t.amount as is_hundredth,
    o.amount = -t.amount::decimal(38, 6) * 100 as is_opposite_hundredfold,
    o.amount::decimal(38, 6) * 100 = -t.amount as is_opposite_hundredth
  from total o
  join total t using (key)
  where o.side = 'ours' and t.side = 'theirs' and (o.amount <> 0 or t.amount <> 0)
),
row_equal as (
  select distinct o.key, o.amount_no as ours_no, t.amount_no as theirs_no
  from infer_member o
  join infer_member t on o.key = t.key and abs(o.amount) = abs(t.amount)
  where o.side = 'ours' and t.side = 'theirs' and o.amount <> 0
)
select
  tie.ours_no,
  tie.theirs_no,
  count(*) as groups,
  count(*) filter (is_many) as many,
  count(*) filter (is_equal) as equal,
  count(*) filter (is_opposite) as opposite,
  count(*) filter (is_hundredfold) as hundredfold,
  count(*) filter (is_hundredth) as hundredth,
  count(*) filter (is_opposite_hundredfold) as opposite_hundredfold,
  count(*) filter (is_opposite_hundredth) as opposite_hundredth,
  count(*) filter (
    is_many and (is_equal or is_opposite or is_hundredfold or is_hundredth or is_opposite_hundredfold or is_opposite_hundredth)
  ) as many_tied,
  count(*) filter (is_many and row_equal.key is not null) as many_row_equal,
  count(*) filter (row_equal.key is not null) as row_equal
from tie
left join row_equal on row_equal.key = tie.key and row_equal.ours_no = tie.ours_no and row_equal.theirs_no = tie.theirs_no
group by tie.ours_no, tie.theirs_no
order by tie.ours_no, tie.theirs_no
