-- step:  score_match
-- in:    scored_choice, scored_candidate, equal_row, run
-- out:   scored_match(ours_row, theirs_row, pass, outcome, confidence, alternatives, margin)
-- grain: one row per (ours_row)
-- why:   a choice is automatic when its score reaches the threshold (inclusive) and stands clear of its runner-up by
--        the margin; otherwise it waits for a person. Alternatives are the other candidates of either row that
--        reach the threshold of alternatives; a pair of equals has none. Learned chances are told as they are kept
with
sure as (
  select h.*, if(is_learned, kept_confidence(h.score), h.score) as confidence from scored_choice h cross join run
),
other as (
  select ours_row, count(*) as alternatives
  from (
    select h.ours_row, c.preference
    from scored_choice h
    join scored_candidate c on c.ours_row = h.ours_row and c.theirs_row <> h.theirs_row
    cross join run
    where c.score >= alternative_threshold
    union all
    select h.ours_row, c.preference
    from scored_choice h
    join scored_candidate c on c.theirs_row = h.theirs_row and c.ours_row <> h.ours_row
    cross join run
    where c.score >= alternative_threshold
  )
  group by ours_row
)
select
  h.ours_row, h.theirs_row, 'scored' as pass,
  if(h.confidence >= auto_threshold and round(h.score - h.runner_up, 9) >= required_margin, 'auto', 'review') as outcome,
  h.confidence,
  cast(coalesce(o.alternatives, 0) as integer) as alternatives,
  round(h.score - h.runner_up, 9) as margin
from sure h
left join other o using (ours_row)
cross join run
union all
select
  ours_row, theirs_row, 'scored', if(auto_threshold <= 1, 'auto', 'review'), if(is_learned, kept_confidence(1.0), 1), 0, 1
from equal_row, run
where is_match
