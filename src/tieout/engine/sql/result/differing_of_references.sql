-- step:  differing_of_references
-- in:    differing_by_reference
-- out:   differing(match_id, ours_row, theirs_row, pass, confidence, expected_day, reported_day, expected_currency, reported_currency, expected_micros, reported_micros, expected_quantity, reported_quantity, expected_fee, reported_fee, expected_fx, reported_fx, gap_micros, allowed_micros, expected_compared, reported_compared)
-- form:  scan
-- why:   stands for differing where no pair was found by likeness
from differing_by_reference
