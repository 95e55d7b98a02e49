-- step:  reference_is_dressed
-- in:    closer_expected, closer_reported
-- out:   dressed_reference(is_padded, has_words)
-- why:   references are joined as they stand, for to trim them all costs a third of the join. One that ends in a blank
--        and so missed its partner is among the rows that need a closer look; then all are trimmed and joined again. So
--        is one with words around it (INV-1005 less 2%)
select
  coalesce(bool_or(suffix(ref::varchar, ' ')), false) as is_padded,
  coalesce(bool_or(is_open and regexp_matches(ref::varchar, '[ .,;:()\[\]]')), false) as has_words
from (
  select ref, is_open from closer_expected
  union all
  select ref, is_open from closer_reported
)
