-- step:  mutual_best
-- in:    live_candidate
-- out:   mutual_best(ours_row, theirs_row, score, runner_up)
-- grain: one row per (ours_row)
-- why:   pairs in which each row prefers the other to all that are still free. Preference is one total order, so the
--        best pair left is always among them and the rounds end. The runner-up is the best score that either row
--        could have had with a row of other content: what is equal in all respects is no real alternative.
with
ours_best as (select ours_row, min(preference) as preference from live_candidate group by ours_row),
theirs_best as (select theirs_row, min(preference) as preference from live_candidate group by theirs_row),
chosen as (
  select c.*
  from live_candidate c
  semi join ours_best o on o.preference = c.preference
  semi join theirs_best t on t.preference = c.preference
),
rival as (
  select h.preference, max(c.score) as score
  from chosen h
  join live_candidate c on c.ours_row = h.ours_row and c.theirs_content <> h.theirs_content
  group by h.preference
  union all
  select h.preference, max(c.score)
  from chosen h
  join live_candidate c on c.theirs_row = h.theirs_row and c.ours_content <> h.ours_content
  group by h.preference
)
select h.ours_row, h.theirs_row, h.score, coalesce(max(r.score), 0) as runner_up
from chosen h
left join rival r using (preference)
group by all
