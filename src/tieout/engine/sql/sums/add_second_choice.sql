-- step:  add_second_choice
-- in:    scored_choice, second_candidate, second_confidence
-- out:   scored_choice(ours_row, theirs_row, score, runner_up)
-- grain: one row per (ours_row)
-- why:   the pairs that the second look chose; the runner-up is the best that either row could have had
with scored as (select c.*, p.confidence, p.is_chosen from second_candidate c join second_confidence p using (preference))
from scored_choice
union all by name
select
  h.ours_row, h.theirs_row, h.confidence as score,
  greatest(
    coalesce((select max(c.confidence) from scored c where c.ours_row = h.ours_row and c.theirs_row <> h.theirs_row), 0),
    coalesce((select max(c.confidence) from scored c where c.theirs_row = h.theirs_row and c.ours_row <> h.ours_row), 0)
  ) as runner_up
from scored h
where h.is_chosen
