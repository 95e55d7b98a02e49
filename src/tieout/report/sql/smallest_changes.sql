-- query: smallest_changes
-- in:    why_not, $limit
-- out:   side, row_no, kind, from_value, to_value, size, partner_row, rival_row, certainty, searched, amount_micros, currency, day
-- grain: one row per (side, row_no)
-- why:   the unmatched rows that a change would match, largest amount first
select *
from why_not
where kind <> 'nothing_near'
order by abs(amount_micros) desc nulls last, side, row_no
limit $limit
