-- step:  differing
-- in:    differing_by_reference, differing_by_score
-- out:   differing(match_id, ours_row, theirs_row, pass, confidence, expected_day, reported_day, expected_currency, reported_currency, expected_micros, reported_micros, expected_quantity, reported_quantity, expected_fee, reported_fee, expected_fx, reported_fx, gap_micros, allowed_micros, expected_compared, reported_compared)
-- form:  scan
-- why:   the one-to-one pairs that need a closer look
from differing_by_reference
union all
from differing_by_score
