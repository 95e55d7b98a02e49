-- step:  window_is_conserved
-- in:    balance
-- out:   window_is_conserved(currency, expected_micros, reported_micros, parts_micros)
-- form:  check
-- why:   no micro of the difference between both sides is left without a name
select currency, expected_micros, reported_micros, delta_micros + tolerated_micros + settled_micros + review_micros as parts_micros
from balance
where expected_micros - reported_micros <> delta_micros + tolerated_micros + settled_micros + review_micros
