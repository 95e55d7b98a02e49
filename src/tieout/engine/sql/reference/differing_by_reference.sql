-- step:  differing_by_reference
-- in:    closer_pair, closer_expected, closer_reported, run
-- out:   differing_by_reference(match_id, ours_row, theirs_row, pass, confidence, expected_day, reported_day, expected_currency, reported_currency, expected_micros, reported_micros, expected_quantity, reported_quantity, expected_fee, reported_fee, expected_fx, reported_fx, gap_micros, allowed_micros, expected_compared, reported_compared)
-- grain: one row per (ours_row)
-- why:   the pairs by reference that need a closer look, with both sides in full, the gap between their amounts and what
--        of it the tolerance allows; those that agree in everything are left out here and cost nothing further
select
  p.ours_row as match_id, p.ours_row, p.theirs_row, 'reference' as pass, 1.0::double as confidence,
  o.day as expected_day, t.day as reported_day,
  coalesce(o.currency, '') as expected_currency, coalesce(t.currency, '') as reported_currency,
  o.amount_micros as expected_micros, t.amount_micros as reported_micros,
  o.quantity_micros as expected_quantity, t.quantity_micros as reported_quantity,
  o.fee_micros as expected_fee, t.fee_micros as reported_fee,
  o.fx_rate_nanos as expected_fx, t.fx_rate_nanos as reported_fx,
  coalesce(o.amount_micros, 0)::hugeint - coalesce(t.amount_micros, 0) as gap_micros,
  allowed_gap(coalesce(o.amount_micros, 0), tolerance_micros, tolerance_ppm) as allowed_micros,
  o.compared as expected_compared, t.compared as reported_compared
from closer_pair p
join closer_expected o on o.entry_no = p.ours_row
join closer_reported t on t.entry_no = p.theirs_row
cross join run
