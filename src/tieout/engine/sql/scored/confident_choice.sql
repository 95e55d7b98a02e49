-- step:  confident_choice
-- in:    judged_candidate, sure_candidate
-- out:   scored_choice(ours_row, theirs_row, score, runner_up)
-- grain: one row per (ours_row)
-- why:   the chosen pairs; the runner-up is the best that either row could have had with a row of other content
with
live as (
  from judged_candidate where is_live
  union all by name
  from sure_candidate where is_live
),
chosen as (from live where is_chosen),
rival as (
  select h.ours_row, max(c.score) as score
  from chosen h
  join live c on c.ours_row = h.ours_row and c.theirs_content <> h.theirs_content
  group by h.ours_row
  union all
  select h.ours_row, max(c.score)
  from chosen h
  join live c on c.theirs_row = h.theirs_row and c.ours_content <> h.ours_content
  group by h.ours_row
)
select h.ours_row, h.theirs_row, h.score, coalesce(max(r.score), 0) as runner_up
from chosen h
left join rival r using (ours_row)
group by all
