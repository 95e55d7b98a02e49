-- step:  window_is_conserved
-- in:    balance
-- out:   window_is_conserved(currency, difference_micros, parts_micros)
-- form:  check
-- why:   expected less reported equals the explained parts and the tolerated gaps, to the micro-unit, per currency
select
  currency,
  expected_micros - reported_micros as difference_micros,
  rate_micros + volume_micros + fx_micros + timing_micros + fee_micros + duplicate_micros + missing_micros
    + unexpected_micros + unexplained_micros + tolerated_micros as parts_micros
from balance
where difference_micros <> parts_micros or difference_micros <> delta_micros + tolerated_micros
