-- step:  choice_of_the_first
-- in:    scored_choice, sent_twice
-- out:   scored_choice(ours_row, theirs_row, score, runner_up)
-- grain: one row per (ours_row)
-- why:   of a payment sent twice the first is the partner, as likely as the two together
with
pair as (
  select
    ours_row, theirs_row, max(score) as score, max(copy_row) filter (is_first and is_ours) as first_of_ours,
    max(copy_row) filter (is_first and not is_ours) as first_of_theirs
  from sent_twice
  group by all
)
select
  coalesce(p.first_of_ours, c.ours_row) as ours_row, coalesce(p.first_of_theirs, c.theirs_row) as theirs_row,
  coalesce(p.score, c.score) as score, least(c.runner_up, 1 - coalesce(p.score, 0)) as runner_up
from scored_choice c
left join pair p using (ours_row, theirs_row)
