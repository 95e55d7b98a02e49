-- step:  sample_reported
-- in:    unequal_reported
-- out:   sample_reported(place, entry_no)
-- grain: one row per (place)
-- why:   weights are learned from at most 5,000 rows of a side: enough to see what one match in a thousand does. They
--        are chosen by what they hold and, among equals, by copy, so the order of the file never decides
with
numbered as (
  select
    entry_no,
    hash(day, currency, amount_micros, text, unit_1, unit_2, unit_3, unit_4, unit_5, unit_6) as content,
    row_number() over (partition by content order by entry_no) as copy_no
  from unequal_reported
)
select row_number() over (order by hash(content, copy_no), content, copy_no) - 1 as place, entry_no
from numbered
order by hash(content, copy_no), content, copy_no
limit 5000
