-- step:  near_taken
-- in:    lone_row, scored_candidate, scored_match, run
-- out:   near_taken(side, entry_no, kind, from_value, to_value, size, partner_no, rival_no, is_certain, gap_micros, lag_days)
-- grain: one row per (side, entry_no)
-- why:   of the rows that are matched, the likeliest partner that would have been good enough on its own (with learned weights
--        at least as likely as not): who took it, and the score that was to beat
with
reach as (
  select
    preference, ours_row, theirs_row,
    if(
      weight_pair is null, score,
      round(1 / (1 + pow(2, -greatest(least(
        weight_pair + coalesce(weight_time, 0) + coalesce(weight_amount, 0) + coalesce(weight_unit, 0) + coalesce(weight_text, 0), 60), -60))), 9)
    ) as own_score
  from scored_candidate
),
taken as (
  select s.side, s.entry_no, c.theirs_row as partner_no, m.ours_row as rival_no, c.own_score, m.confidence, c.preference
  from lone_row s
  join reach c on c.ours_row = s.entry_no
  join scored_match m on m.theirs_row = c.theirs_row
  cross join run
  where s.side = 'ours' and s.is_subject and c.own_score >= if(is_learned, greatest(review_threshold, 0.5), review_threshold)
  union all
  select s.side, s.entry_no, c.ours_row, m.theirs_row, c.own_score, m.confidence, c.preference
  from lone_row s
  join reach c on c.theirs_row = s.entry_no
  join scored_match m on m.ours_row = c.ours_row
  cross join run
  where s.side = 'theirs' and s.is_subject and c.own_score >= if(is_learned, greatest(review_threshold, 0.5), review_threshold)
)
select
  side, entry_no, 'taken' as kind, round(own_score, 3)::varchar as from_value, round(confidence, 3)::varchar as to_value,
  greatest(0, (confidence - own_score) * 1000000)::hugeint as size, partner_no, rival_no, false as is_certain,
  null::hugeint as gap_micros, null::bigint as lag_days
from taken
qualify row_number() over (partition by side, entry_no order by preference) = 1
