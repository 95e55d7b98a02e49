-- step:  reference_is_padded
-- in:    closer_expected, closer_reported
-- out:   reference_padding(is_padded)
-- why:   references are joined as they stand, for to trim them all costs a third of the join. One that ends in a blank
--        and so missed its partner is among the rows that need a closer look; then all are trimmed and joined again.
select coalesce(bool_or(suffix(ref::varchar, ' ')), false) as is_padded
from (
  select ref from closer_expected
  union all
  select ref from closer_reported
)
