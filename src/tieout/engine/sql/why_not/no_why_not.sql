-- step:  no_why_not
-- in:    lone_expected
-- out:   why_not(side, row_no, kind, from_value, to_value, size, partner_row, rival_row, certainty, searched, amount_micros, currency, day)
-- form:  fact
-- why:   stands for why_not where no row is unmatched
select
  '' as side, entry_no as row_no, '' as kind, '' as from_value, '' as to_value, 0::bigint as size,
  0::bigint as partner_row, 0::bigint as rival_row, '' as certainty, '' as searched, 0::bigint as amount_micros,
  '' as currency, null::date as day
from lone_expected
limit 0
