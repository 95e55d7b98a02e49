-- step:  key_overlap
-- in:    infer_key_ours, infer_key_theirs
-- out:   key_overlap(ours_filled, ours_distinct, theirs_filled, theirs_distinct, common, common_unique, ours_low, ours_high, theirs_low, theirs_high)
-- grain: one row
-- why:   a key is judged by how unique it is on each side and by how many values both sides share; the smallest and the
--        largest tell a mere counter of rows, and are null unless every value is a whole number
with
ours as (
  select
    coalesce(sum(rows), 0) as filled,
    count(*) as distinct_values,
    if(count(key_number) = count(*), min(key_number), null) as low,
    if(count(key_number) = count(*), max(key_number), null) as high
  from (select rows, if(regexp_full_match(key, '[0-9]{1,18}'), try_cast(key as bigint), null) as key_number from infer_key_ours)
),
theirs as (
  select
    coalesce(sum(rows), 0) as filled,
    count(*) as distinct_values,
    if(count(key_number) = count(*), min(key_number), null) as low,
    if(count(key_number) = count(*), max(key_number), null) as high
  from (select rows, if(regexp_full_match(key, '[0-9]{1,18}'), try_cast(key as bigint), null) as key_number from infer_key_theirs)
),
shared as (
  select count(*) as common, count(*) filter (o.rows = 1 and t.rows = 1) as common_unique
  from infer_key_ours o
  join infer_key_theirs t using (key)
)
select
  cast(ours.filled as bigint) as ours_filled,
  ours.distinct_values as ours_distinct,
  cast(theirs.filled as bigint) as theirs_filled,
  theirs.distinct_values as theirs_distinct,
  shared.common,
  shared.common_unique,
  ours.low as ours_low,
  ours.high as ours_high,
  theirs.low as theirs_low,
  theirs.high as theirs_high
from ours, theirs, shared
