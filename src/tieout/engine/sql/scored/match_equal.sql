-- step:  match_equal
-- in:    ungrouped_expected, ungrouped_reported, open_expected, open_reported, run
-- out:   equal_row(ours_row, theirs_row, is_match, score_time, score_unit, score_text)
-- grain: one row per (ours_row, theirs_row)
-- why:   rows that are equal in all evidence and in what is compared are certain of each other, so they meet first, copy
--        for copy and without a margin; thousands of equal payments would be millions of candidates. Of copies those
--        without a reference meet first, for two rows that both carry one are not paired by likeness. A copy left over
--        is held against the first row of the other side's copies (not is_match), which shows what it was taken for.
--        An amount is needed, and a weight of something that is there. The score is 1, and so is that of all evidence
--        that is there.
with
unreferenced as (
  select entry_no from ungrouped_expected where ref is null
  union all
  select entry_no from ungrouped_reported where ref is null
),
likely as (select content from ungrouped_expected semi join ungrouped_reported using (content)),
one as (
  select 'ours' as side, u.*, e.compared, row_number() over (order by e.source, u.entry_no) as place
  from (from ungrouped_expected where content in (from likely)) u
  join open_expected e using (entry_no)
  cross join run
  where is_scored and u.amount_micros is not null and (select count(*) from unreferenced) > 0
  union all
  select 'theirs', u.*, e.compared, row_number() over (order by e.source, u.entry_no)
  from (from ungrouped_reported where content in (from likely)) u
  join open_reported e using (entry_no)
  cross join run
  where is_scored and u.amount_micros is not null and (select count(*) from unreferenced) > 0
),
class as (
  select
    if(day is null, null, 1.0::double) as score_time,
    if(units is null, null, 1.0::double) as score_unit,
    if(coalesce(text, '') = '', null, 1.0::double) as score_text,
    list({entry_no: entry_no, ref: ref} order by ref nulls first, place) filter (side = 'ours') as ours,
    list({entry_no: entry_no, ref: ref} order by ref nulls first, place) filter (side = 'theirs') as theirs
  from one
  group by day, currency, amount_micros, text, units, compared
  having count(*) filter (side = 'ours') > 0 and count(*) filter (side = 'theirs') > 0
),
copy as (
  select *, unnest(range(1, greatest(len(ours), len(theirs)) + 1)) as nth
  from class
),
met as (
  select *, nth <= least(len(ours), len(theirs)) and (ours[nth].ref is null or theirs[nth].ref is null) as is_match
  from copy
),
held as (
  select ours[nth] as one_of_ours, theirs[nth] as one_of_theirs, is_match, score_time, score_unit, score_text
  from met
  where is_match
  union all
  select ours[nth], theirs[1], false, score_time, score_unit, score_text
  from met
  where not is_match and nth <= len(ours)
  union all
  select ours[1], theirs[nth], false, score_time, score_unit, score_text
  from met
  where not is_match and nth <= len(theirs)
)
select
  one_of_ours.entry_no as ours_row, one_of_theirs.entry_no as theirs_row, is_match, score_time, score_unit, score_text
from held
cross join run
where (one_of_ours.ref is null or one_of_theirs.ref is null) and review_threshold <= 1
  and weight_amount + if(score_time is null, 0, weight_time) + if(score_unit is null, 0, weight_unit)
    + if(score_text is null, 0, weight_text) > 0
