-- step:  weighed_candidate
-- in:    compared_candidate, evidence_level
-- out:   weighed_candidate(preference, ours_row, theirs_row, weight, weight_pair, weight_time, weight_amount, weight_unit, weight_text, ours_content, theirs_content)
-- grain: one row per (preference)
-- why:   what each candidate weighs, in millionths of a bit: the sum over its evidence and, before any evidence, that a
--        row has that very partner among so many (Fellegi and Sunter 1969). An equal amount weighs the more, the fewer
--        rows have it. Four in five of a large file are hopeless, so only those that are not go on, and of a row that
--        has no others the likeliest, which tells why it found no partner. Preference is a total order: weight, then the
--        nearer amount and day, then pairs that agree in what is compared, then content, and only among equal rows the copy
with
slot as (select level, level + 23 as nth from (select unnest(range(-22, 178)) as level)),
weight_of as (
  select e.evidence, list(l.weight order by s.nth) as weights
  from (select unnest(['amount', 'time', 'text', 'unit_1', 'unit_2', 'unit_3', 'unit_4', 'unit_5', 'unit_6']) as evidence) e
  cross join slot s
  left join evidence_level l on l.evidence = e.evidence and l.level = s.level
  group by e.evidence
),
known as (
  select
    any_value(weights) filter (evidence = 'amount') as amounts, any_value(weights) filter (evidence = 'time') as times,
    any_value(weights) filter (evidence = 'text') as texts, any_value(weights) filter (evidence = 'unit_1') as units_1,
    any_value(weights) filter (evidence = 'unit_2') as units_2, any_value(weights) filter (evidence = 'unit_3') as units_3,
    any_value(weights) filter (evidence = 'unit_4') as units_4, any_value(weights) filter (evidence = 'unit_5') as units_5,
    any_value(weights) filter (evidence = 'unit_6') as units_6,
    (select matched from evidence_level where evidence = 'pair') as matched,
    (select matched from evidence_level where evidence = 'amount' and level = 0) as equal_matched
  from weight_of
),
weighed as materialized (
  select
    c.* exclude (
      ours_rows, theirs_rows, amount_level, time_level, text_level, unit_levels, amount_share
    ),
    matched * least(c.ours_rows, c.theirs_rows) as pairs,
    cast(round(log2(pairs / ((c.ours_rows - pairs) * (c.theirs_rows - pairs))) * 1000000) as bigint) as weight_pair,
    if(
      c.amount_share is null, amounts[c.amount_level + 23], cast(round(log2(equal_matched / c.amount_share) * 1000000) as bigint)
    ) as weight_amount,
    times[c.time_level + 23] as weight_time, texts[c.text_level + 23] as weight_text,
    if(
      c.unit_levels is null, 0,
      coalesce(units_1[c.unit_levels[1] + 23], 0) + coalesce(units_2[c.unit_levels[2] + 23], 0)
        + coalesce(units_3[c.unit_levels[3] + 23], 0) + coalesce(units_4[c.unit_levels[4] + 23], 0)
        + coalesce(units_5[c.unit_levels[5] + 23], 0) + coalesce(units_6[c.unit_levels[6] + 23], 0)
    ) as weight_unit,
    weight_pair + weight_unit + coalesce(weight_time, 0) + coalesce(weight_amount, 0) + coalesce(weight_text, 0) as weight
  from compared_candidate c
  cross join known
),
best_of_ours as (select ours_row, max(weight) as weight from weighed group by ours_row having is_hopeless(max(weight))),
best_of_theirs as (select theirs_row, max(weight) as weight from weighed group by theirs_row having is_hopeless(max(weight))),
kept as (
  from weighed where not is_hopeless(weight)
  union all
  from (
    from weighed where is_hopeless(weight)
  )
  where (ours_row, weight) in (from best_of_ours) or (theirs_row, weight) in (from best_of_theirs)
)
select
  row_number() over (
    order by weight desc, gap_micros, lag_days, disagrees, ours_content, theirs_content, abs(ours_copy - theirs_copy),
      ours_copy, theirs_copy
  ) as preference,
  ours_row, theirs_row, weight, weight_pair, weight_time, weight_amount, weight_unit, weight_text, ours_content,
  theirs_content
from kept
