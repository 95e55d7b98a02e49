-- step:  match_equal
-- in:    ungrouped_expected, ungrouped_reported, open_expected, open_reported, run
-- out:   equal_row(ours_row, theirs_row, is_match, score_time, score_unit, score_text)
-- grain: one row per (ours_row, theirs_row)
-- why:   rows that are equal in all evidence and in what is compared are certain of each other, so they meet first, copy
--        for copy and without a margin; thousands of equal payments would be millions of candidates. Of copies those
--        without a reference meet first, for two rows that both carry one are not paired by likeness. A copy left over
--        is held against the first row of the other side's copies (not is_match), which shows what it was taken for.
--        An amount is needed, and a weight of something that is there. The score is 1, and so is that of all evidence
--        that is there. Rows of a day and an amount alone are not certain where partners come on other days, as amounts
--        that stand once on either side tell (30 or more, a tenth of them on another day), and an amount of another day
--        within the window would do as well: weights decide, unless more than 200 pairs share the day too
with
unreferenced as (
  select entry_no from ungrouped_expected where ref is null
  union all
  select entry_no from ungrouped_reported where ref is null
),
likely as (select content from ungrouped_expected semi join ungrouped_reported using (content)),
bare as (
  select 'ours' as side, content, coalesce(currency, '') as currency, amount_micros, day, said
  from ungrouped_expected
  where coalesce(text, '') = '' and units is null
  union all
  select 'theirs', content, coalesce(currency, ''), amount_micros, day, said
  from ungrouped_reported
  where coalesce(text, '') = '' and units is null
),
single as (
  select max(day) = min(day) as is_same_day
  from (from bare cross join run where is_learned)
  group by currency, amount_micros
  having count(*) filter (side = 'ours') = 1 and count(*) filter (side = 'theirs') = 1
    and date_diff('day', min(day), max(day)) <= any_value(window_days)
),
lagging as (select count(*) >= 30 and avg(is_same_day::integer) < 0.9 as is_seen from single),
beside as (
  select
    content, count(*) over same > 1 and bool_or(day is null) over same as is_undated,
    date_diff('day', lag(day) over near_in_time, day) as days_before,
    date_diff('day', day, lead(day) over near_in_time) as days_after
  from (select distinct content, currency, amount_micros, day, said from bare where (select is_seen from lagging))
  window
    same as (partition by currency, amount_micros, said),
    near_in_time as (partition by currency, amount_micros, said order by day, content)
),
rivalled as (
  select content
  from beside
  cross join run
  where is_undated or coalesce(days_before <= window_days, false) or coalesce(days_after <= window_days, false)
),
one as (
  select
    'ours' as side, u.*, e.compared, content in (from rivalled) as is_rivalled,
    row_number() over (order by e.source, u.entry_no) as place
  from (from ungrouped_expected where content in (from likely)) u
  join open_expected e using (entry_no)
  cross join run
  where is_scored and u.amount_micros is not null and (select count(*) from unreferenced) > 0
  union all
  select 'theirs', u.*, e.compared, content in (from rivalled), row_number() over (order by e.source, u.entry_no)
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
    and not (bool_or(is_rivalled) and count(*) filter (side = 'ours') * count(*) filter (side = 'theirs') <= 200)
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
