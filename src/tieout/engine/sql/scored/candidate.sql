-- step:  candidate
-- in:    scored_candidate, scored_match, equal_row, run
-- out:   candidate(ours_row, theirs_row, score, score_time, score_amount, score_unit, score_text, weight_pair, weight_time, weight_amount, weight_unit, weight_text, rank, chosen)
-- grain: one row per (ours_row, theirs_row)
-- form:  fact
-- why:   what was considered: the five best of each row of ours and of theirs, and every chosen pair, so that a match
--        and a missing match can both be explained later
with
-- Nearly all rows have few candidates: how theirs rank them matters only where ours have more than five.
beyond as (
  select distinct theirs_row
  from scored_candidate
  semi join (select ours_row from scored_candidate group by ours_row having count(*) > 5) using (ours_row)
),
best_of_theirs as (
  select ours_row, theirs_row
  from scored_candidate
  semi join beyond using (theirs_row)
  qualify row_number() over (partition by theirs_row order by score desc, preference) <= 5
),
ranked as (
  select *, row_number() over (partition by ours_row order by score desc, preference) as ours_rank
  from scored_candidate
)
select
  c.ours_row + ours_offset as ours_row, c.theirs_row + theirs_offset as theirs_row, c.score, c.score_time,
  c.score_amount, c.score_unit, c.score_text, c.weight_pair, c.weight_time, c.weight_amount, c.weight_unit,
  c.weight_text, cast(c.ours_rank as integer) as rank, c.chosen
from (
  select c.*, m.ours_row is not null as chosen
  from ranked c
  left join scored_match m on m.ours_row = c.ours_row and m.theirs_row = c.theirs_row
  left join best_of_theirs b on b.ours_row = c.ours_row and b.theirs_row = c.theirs_row
  where c.ours_rank <= 5 or b.ours_row is not null or m.ours_row is not null
  union all by name
  select
    ours_row, theirs_row, 1.0::double as score, score_time, 1.0::double as score_amount, score_unit, score_text,
    1 as ours_rank, true as chosen
  from equal_row
  where is_match
) c
cross join run
order by ours_row, theirs_row
