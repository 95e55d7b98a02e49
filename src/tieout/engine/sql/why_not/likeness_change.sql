-- step:  likeness_change
-- in:    lone_row, scored_candidate, run
-- out:   likeness_change(rule, from_value, to_value, place, currency, ours_rows, theirs_rows, amount_micros, basis)
-- grain: one row per (rule, to_value, currency)
-- why:   what other rules of likeness would do to the whole backlog, in a few steps each. A wider window: unmatched rows of equal
--        amount, as many of each amount as the side with fewer has within it (estimate: texts may keep them apart, and unequal
--        amounts may meet). A lower review threshold: unmatched rows with a candidate that good, no more than the side with
--        fewer has (bound)
with
told as not materialized (
  select * from lone_row where day is not null and amount_micros is not null
),
pool as (
  select false as is_bound, * from told
  union all
  select true, * from told where bound_ref is null
),
first_of_day as (
  select side, is_bound, currency, amount_micros, day, arg_min(entry_no, (place, entry_no)) as partner_no
  from pool
  group by all
),
sought as (
  select t.*, if(side = 'ours', 'theirs', 'ours') as other, bound_ref is not null as is_tied,
    day - (window_days + 1)::integer as from_day, day + (window_days + 1)::integer as to_day
  from told t
  cross join run
),
near as (
  select s.side, s.entry_no, date_diff('day', f.day, s.day) as lag_days, f.partner_no, f.side as other
  from sought s
  asof join first_of_day f
    on f.side = s.other and f.is_bound = s.is_tied and f.currency = s.currency and f.amount_micros = s.amount_micros
    and s.from_day >= f.day
  union all
  select s.side, s.entry_no, date_diff('day', s.day, f.day), f.partner_no, f.side
  from sought s
  asof join first_of_day f
    on f.side = s.other and f.is_bound = s.is_tied and f.currency = s.currency and f.amount_micros = s.amount_micros
    and s.to_day <= f.day
),
wait as (
  select s.side, s.entry_no, s.currency, s.amount_micros, min(n.lag_days) as lag_days
  from near n
  join told s on s.side = n.side and s.entry_no = n.entry_no
  join told p on p.side = n.other and p.entry_no = n.partner_no
  cross join run
  where n.lag_days <= window_days + 31
    and if(
      is_learned, coalesce(text_likeness(s.text, p.text, s.words, p.words) >= 0.5, true),
      weighted_score(
        1 / (1 + n.lag_days / lag_half_days), 1.0, unit_likeness(s.units, p.units),
        if(
          s.side = 'ours', text_likeness(s.text, p.text, s.words, p.words), text_likeness(p.text, s.text, p.words, s.words)
        ),
        weight_time, weight_amount, weight_unit, weight_text
      ) >= review_threshold
    )
  group by all
),
wider as (
  select
    to_days, currency, amount_micros,
    least(count(*) filter (side = 'ours'), count(*) filter (side = 'theirs')) as pairs
  from wait
  join (select unnest([1, 2, 3, 5, 7, 14, 31]) + window_days as to_days from run) on lag_days <= to_days
  group by all
),
free as (
  select ours_row, theirs_row, score
  from scored_candidate
  semi join (from lone_row where side = 'ours') o on o.entry_no = ours_row
  semi join (from lone_row where side = 'theirs') t on t.entry_no = theirs_row
),
lower as (
  select round(review_threshold * part, 3) as to_share, row_number() over () as place
  from run, (select unnest([0.9, 0.8, 0.7, 0.6, 0.5]) as part)
),
best as (
  select 'ours' as side, ours_row as entry_no, max(score) as score from free group by ours_row
  union all
  select 'theirs', theirs_row, max(score) from free group by theirs_row
),
admitted as (
  select
    to_share, l.currency, count(*) filter (side = 'ours') as ours, count(*) filter (side = 'theirs') as theirs,
    coalesce(sum(abs(l.amount_micros::hugeint)) filter (side = 'ours'), 0) as ours_micros,
    coalesce(sum(abs(l.amount_micros::hugeint)) filter (side = 'theirs'), 0) as theirs_micros
  from best b
  join lower on b.score >= to_share
  join lone_row l using (side, entry_no)
  group by all
)
select
  'window' as rule, window_days::varchar as from_value, to_days::varchar as to_value, to_days as place, currency,
  sum(pairs) as ours_rows, sum(pairs) as theirs_rows, sum(pairs * abs(amount_micros::hugeint)) as amount_micros,
  'estimate' as basis
from wider
cross join run
where pairs > 0
group by all
union all
select
  'review', review_threshold::varchar, to_share::varchar, cast(1000 - to_share * 1000 as bigint), currency, least(ours, theirs), least(ours, theirs),
  least(ours_micros, theirs_micros), 'bound'
from admitted
cross join run
where ours > 0 and theirs > 0
