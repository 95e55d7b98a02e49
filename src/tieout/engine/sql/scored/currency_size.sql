-- step:  currency_size
-- in:    unequal_expected, unequal_reported
-- out:   currency_size(currency, ours_rows, theirs_rows)
-- grain: one row per (currency)
-- why:   among how many rows a partner is looked for decides how much evidence a pair needs
select currency, sum(ours_rows)::bigint as ours_rows, sum(theirs_rows)::bigint as theirs_rows
from (
  select coalesce(currency, '') as currency, count(*) as ours_rows, 0 as theirs_rows from unequal_expected group by all
  union all
  select coalesce(currency, ''), 0, count(*) from unequal_reported group by all
)
group by currency
