-- step:  confident_choice
-- in:    scored_candidate, pair_confidence
-- out:   scored_choice(ours_row, theirs_row, score, runner_up)
-- grain: one row per (ours_row)
-- why:   the chosen pairs; the runner-up is the best that either row could have had with a row of other content
with
chosen as (select c.* from scored_candidate c join pair_confidence p using (preference) where p.is_chosen),
live as (select c.* from scored_candidate c semi join pair_confidence using (preference)),
rival as (
  select h.preference, max(c.score) as score
  from chosen h
  join live c on c.ours_row = h.ours_row and c.theirs_content <> h.theirs_content
  group by h.preference
  union all
  select h.preference, max(c.score)
  from chosen h
  join live c on c.theirs_row = h.theirs_row and c.ours_content <> h.ours_content
  group by h.preference
)
select h.ours_row, h.theirs_row, h.score, coalesce(max(r.score), 0) as runner_up
from chosen h
left join rival r using (preference)
group by all
