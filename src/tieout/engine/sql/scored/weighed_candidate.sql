-- step:  weighed_candidate
-- in:    compared_candidate, evidence_level
-- out:   weighed_candidate(preference, ours_row, theirs_row, weight, weight_pair, weight_time, weight_amount, weight_unit, weight_text, ours_content, theirs_content)
-- grain: one row per (preference)
-- why:   what each candidate weighs, in millionths of a bit: the sum over its evidence and, before any evidence, that a
--        row has that very partner among so many (Fellegi and Sunter 1969). An equal amount weighs the more, the fewer
--        rows have it. Preference is a total order: weight, then the nearer amount and day, then pairs that agree in
--        what is compared, then content, and only among equal rows the copy
with
pair as (
  select
    c.*, p.matched * least(c.ours_rows, c.theirs_rows) as pairs,
    if(
      c.amount_share is null, a.weight, cast(round(log2(a.matched / c.amount_share) * 1000000) as bigint)
    ) as weight_amount,
    d.weight as weight_time, x.weight as weight_text,
    coalesce(u1.weight, 0) + coalesce(u2.weight, 0) + coalesce(u3.weight, 0)
      + coalesce(u4.weight, 0) + coalesce(u5.weight, 0) + coalesce(u6.weight, 0) as weight_unit
  from compared_candidate c
  join evidence_level p on p.evidence = 'pair'
  left join evidence_level a on a.evidence = 'amount' and a.level = c.amount_level
  left join evidence_level d on d.evidence = 'time' and d.level = c.time_level
  left join evidence_level x on x.evidence = 'text' and x.level = c.text_level
  left join evidence_level u1 on u1.evidence = 'unit_1' and u1.level = c.unit_1_level
  left join evidence_level u2 on u2.evidence = 'unit_2' and u2.level = c.unit_2_level
  left join evidence_level u3 on u3.evidence = 'unit_3' and u3.level = c.unit_3_level
  left join evidence_level u4 on u4.evidence = 'unit_4' and u4.level = c.unit_4_level
  left join evidence_level u5 on u5.evidence = 'unit_5' and u5.level = c.unit_5_level
  left join evidence_level u6 on u6.evidence = 'unit_6' and u6.level = c.unit_6_level
),
weighed as (
  select
    *, cast(round(log2(pairs / ((ours_rows - pairs) * (theirs_rows - pairs))) * 1000000) as bigint) as weight_pair,
    weight_pair + weight_unit + coalesce(weight_time, 0) + coalesce(weight_amount, 0) + coalesce(weight_text, 0) as weight
  from pair
)
select
  row_number() over (
    order by weight desc, gap_micros, lag_days, disagrees, ours_content, theirs_content, abs(ours_copy - theirs_copy),
      ours_copy, theirs_copy
  ) as preference,
  ours_row, theirs_row, weight, weight_pair, weight_time, weight_amount, weight_unit, weight_text, ours_content,
  theirs_content
from weighed
