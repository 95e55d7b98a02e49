-- step:  moment
-- in:    infer_pair, infer_moment_ours, infer_moment_theirs
-- out:   moment(pairs, same, usual_s, usual_pairs)
-- why:   rows that a key pairs are of one day and yet never of one second where a side keeps another clock, or writes down
--        what it does a little later: how many are of one second, and the commonest distance in seconds
with
apart as (
  select date_diff('second', o.moment, t.moment) as apart_s
  from infer_pair pair
  join infer_moment_ours o on o.row_no = pair.ours_row
  join infer_moment_theirs t on t.row_no = pair.theirs_row
),
counted as (select apart_s, count(*) as pairs from apart group by apart_s)
select
  coalesce(sum(pairs), 0)::bigint as pairs, coalesce(sum(pairs) filter (apart_s = 0), 0)::bigint as same,
  arg_max(apart_s, (pairs, -apart_s)) as usual_s, coalesce(max(pairs), 0) as usual_pairs
from counted
