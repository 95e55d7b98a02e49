-- step:  parts_sum_to_delta
-- in:    delta
-- out:   parts_sum_to_delta(delta_id, amount_micros, parts_micros)
-- form:  check
-- empty: when delta
-- types: varchar, bigint, hugeint
-- why:   an explanation that does not add up to the difference is none
select
  delta_id, amount_micros,
  rate_micros::hugeint + volume_micros + fx_micros + timing_micros + fee_micros + duplicate_micros + missing_micros
    + unexpected_micros + unexplained_micros as parts_micros
from delta
where parts_micros <> coalesce(amount_micros, 0)
