-- query: failed_checks
-- in:    check, $limit
-- out:   side, file, name, subject, currency, stated, computed, difference, message
-- why:   a claim of a file about itself that its own rows do not bear out
select side, file, name, subject, currency, stated, computed, difference, message
from "check"
where not ok
order by side, file, name, subject, currency, stated, computed, message
limit $limit
