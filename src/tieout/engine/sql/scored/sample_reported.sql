-- step:  sample_reported
-- in:    unequal_reported
-- out:   sample_reported(place, entry_no)
-- grain: one row per (place)
-- why:   weights are learned from at most 5,000 rows of a side: enough to see what one match in a thousand does. They
--        are chosen by what they hold and, among equals, by copy, so the order of the file never decides
with
repeated as (select content from unequal_reported group by content having count(*) > 1),
numbered as (
  select entry_no, content, 1 as copy_no
  from unequal_reported
  anti join repeated using (content)
  union all
  select entry_no, content, row_number() over (partition by content order by entry_no)
  from unequal_reported
  semi join repeated using (content)
),
chosen as (
  from numbered
  order by hash(content, copy_no), content, copy_no
  limit 5000
)
select row_number() over (order by hash(content, copy_no), content, copy_no) - 1 as place, entry_no
from chosen
order by place
