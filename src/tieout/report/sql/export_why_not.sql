-- query: export_why_not
-- in:    why_not
-- out:   side, row_no, kind, from_value, to_value, size, partner_row, rival_row, certainty, searched, amount, currency, day
-- grain: one row per (side, row_no)
-- why:   for each unmatched row of weight the smallest change that would match it, and with which row of the other side
select
  side,
  row_no,
  kind,
  from_value,
  to_value,
  size,
  partner_row,
  rival_row,
  certainty,
  searched,
  units(amount_micros) as amount,
  currency,
  day
from why_not
