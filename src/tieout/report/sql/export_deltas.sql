-- query: export_deltas
-- in:    delta
-- out:   delta_id, kind, amount, currency, match_id, ours_row, theirs_row, reason_code, confidence, day, ours_amount,
--        theirs_amount, rate, volume, fx, timing, fee, duplicate, missing, unexpected, unexplained
-- grain: one row per (delta_id)
-- why:   every difference in units of its currency, with the parts that sum to it
select
  delta_id,
  kind,
  units(amount_micros) as amount,
  currency,
  match_id,
  ours_row,
  theirs_row,
  reason_code,
  confidence,
  day,
  units(ours_amount_micros) as ours_amount,
  units(theirs_amount_micros) as theirs_amount,
  units(rate_micros) as rate,
  units(volume_micros) as volume,
  units(fx_micros) as fx,
  units(timing_micros) as timing,
  units(fee_micros) as fee,
  units(duplicate_micros) as duplicate,
  units(missing_micros) as missing,
  units(unexpected_micros) as unexpected,
  units(unexplained_micros) as unexplained
from delta
