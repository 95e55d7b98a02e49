-- query: open_theirs
-- in:    unmatched_theirs, $limit
-- out:   row_no, reason_code, searched, amount_micros, currency, day, ref, text
-- grain: one row per row_no
-- why:   duplicates and rows that await review have lists of their own; the largest amount is what a reader asks for
select theirs_row as row_no, reason_code, searched, amount_micros, currency, day, ref, text
from unmatched_theirs
where reason_code not in ('duplicate', 'review')
order by abs(amount_micros::hugeint) desc nulls last, theirs_row
limit $limit
