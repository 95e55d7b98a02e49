-- step:  second_candidate
-- in:    loose_row, loose_word, sum_row, scored_choice, scored_candidate, evidence_expected, evidence_reported, evidence_level, currency_size, run
-- out:   second_candidate(preference, ours_row, theirs_row, weight, weight_pair, weight_time, weight_amount, weight_unit, weight_text, ours_content, theirs_content)
-- grain: one row per (preference)
-- why:   a payment of a third of what was booked shares with it neither an amount nor one that is near, only its party.
--        Among all rows that would be too much to compare; among the few that are left, a word that few of them have
--        near that day is enough to be weighed, by the same weights
with
lone as (
  select r.*
  from loose_row r
  anti join (
    select 'ours' as side, ours_row as entry_no from scored_choice
    union all
    select 'theirs', theirs_row from scored_choice
    union all
    select 'ours', ours_row from sum_row
    union all
    select 'theirs', theirs_row from sum_row
  ) u using (side, entry_no)
),
placed as materialized (
  select w.side, w.entry_no, w.word, r.currency, r.term, r.amount_micros > 0 as adds
  from loose_word w
  join lone r using (side, entry_no)
),
ours as (select *, unnest([term - 1, term, term + 1]) as met from placed where side = 'ours'),
theirs as (select *, term as met from placed where side = 'theirs'),
quiet as (
  select currency, adds, word, met
  from (
    select currency, adds, word, met, 1 as ours, 0 as theirs from ours
    union all
    select currency, adds, word, met, 0, 1 from theirs
  )
  group by all
  having sum(ours) * sum(theirs) between 1 and 100
),
telling as materialized (from ours semi join quiet using (currency, adds, word, met)),
met as (
  select distinct o.entry_no as ours_row, t.entry_no as theirs_row
  from telling o
  join theirs t using (currency, adds, word, met)
),
compared as materialized (
  select
    m.ours_row, m.theirs_row, o.currency,
    amount_level(o.amount_micros, t.amount_micros, gap_share(o.amount_micros, t.amount_micros)) as amount_level,
    time_level(date_diff('day', o.day, t.day)) as time_level,
    text_level(
      spelling(uo.text, ut.text, uo.words_in_order, ut.words_in_order), uo.initials = ut.initials,
      shared_rarity(uo.codes, ut.codes)
    ) as text_level,
    unit_levels(uo.units, ut.units) as unit_levels,
    abs(o.amount_micros::hugeint - t.amount_micros) as gap_micros,
    abs(date_diff('day', o.day, t.day)) as lag_days, o.content as ours_content, t.content as theirs_content,
    uo.copy_no as ours_copy, ut.copy_no as theirs_copy
  from met m
  join lone o on o.side = 'ours' and o.entry_no = m.ours_row
  join lone t on t.side = 'theirs' and t.entry_no = m.theirs_row
  join evidence_expected uo on uo.entry_no = m.ours_row
  join evidence_reported ut on ut.entry_no = m.theirs_row
  anti join scored_candidate c on c.ours_row = m.ours_row and c.theirs_row = m.theirs_row
  cross join run
  where coalesce(abs(date_diff('day', o.day, t.day)) <= window_days, true) and not (o.has_ref and t.has_ref)
    and coalesce(o.amount_micros <> t.amount_micros, false)
),
unit_weight as (
  select ours_row, theirs_row, sum(l.weight) as weight_unit
  from (select ours_row, theirs_row, unnest(range(1, 7)) as nth, unnest(unit_levels) as level from compared) u
  join evidence_level l on l.evidence = 'unit_' || nth and l.level = u.level
  group by all
),
weighed as (
  select
    c.*, p.matched * least(z.ours_rows, z.theirs_rows) as pairs,
    cast(round(log2(pairs / ((z.ours_rows - pairs) * (z.theirs_rows - pairs))) * 1000000) as bigint) as weight_pair,
    a.weight as weight_amount, d.weight as weight_time, x.weight as weight_text,
    coalesce(u.weight_unit, 0)::bigint as unit_together,
    weight_pair + coalesce(u.weight_unit, 0) + coalesce(d.weight, 0) + coalesce(a.weight, 0) + coalesce(x.weight, 0) as weight
  from compared c
  join currency_size z on z.currency = c.currency
  join evidence_level p on p.evidence = 'pair'
  left join evidence_level a on a.evidence = 'amount' and a.level = c.amount_level
  left join evidence_level d on d.evidence = 'time' and d.level = c.time_level
  left join evidence_level x on x.evidence = 'text' and x.level = c.text_level
  left join unit_weight u using (ours_row, theirs_row)
)
select
  (select coalesce(max(preference), 0) from scored_candidate) + row_number() over (
    order by weight desc, gap_micros, lag_days, ours_content, theirs_content, abs(ours_copy - theirs_copy), ours_copy,
      theirs_copy, ours_row, theirs_row
  ) as preference,
  ours_row, theirs_row, cast(weight as bigint) as weight, weight_pair, weight_time, weight_amount,
  unit_together as weight_unit,
  weight_text, ours_content, theirs_content
from weighed
