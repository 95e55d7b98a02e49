-- step:  application
-- in:    application_row, scored_match, open_expected, open_reported, run
-- out:   application(match_id, ours_row, theirs_row, applied_micros, currency, kind, verdict, outcome, confidence, reason)
-- grain: one row per (ours_row, theirs_row)
-- form:  fact
-- why:   how much of which payment settles which invoice, as what, and why; a payment of which nothing was applied is
--        not here but among the unmatched rows. Where payments are applied without advice, pairs by likeness are
--        applications too
with scored as (
  select
    m.ours_row as match_id, m.ours_row, m.theirs_row,
    if(abs(o.amount_micros) < abs(t.amount_micros), o.amount_micros, t.amount_micros) as applied_micros,
    coalesce(o.currency, '') as currency,
    case
      when abs(t.amount_micros) > abs(o.amount_micros) then 'over_payment'
      when t.amount_micros = o.amount_micros then 'full'
      else 'partial'
    end as kind,
    if(m.alternatives = 0, 'unique', m.alternatives + 1 || ' alternatives') as verdict, m.outcome, m.confidence,
    'the most alike in date, amount and text' as reason
  from scored_match m
  join open_expected o on o.entry_no = m.ours_row
  join open_reported t on t.entry_no = m.theirs_row
  cross join run
  where has_settlement and coalesce(sign(o.amount_micros) = sign(t.amount_micros) and o.amount_micros <> 0, false)
)
select
  match_id + ours_offset as match_id, ours_row + ours_offset as ours_row, theirs_row + theirs_offset as theirs_row,
  applied_micros, currency, kind, verdict, outcome, confidence, reason
from (
  select match_id, ours_row, theirs_row, applied_micros, currency, kind, verdict, outcome, confidence, reason
  from application_row
  where ours_row is not null
  union all
  from scored
)
cross join run
order by ours_row, theirs_row
