-- step:  add_settled_group
-- in:    entry_group, application_row
-- out:   entry_group(group_no, side, entry_no)
-- grain: one row per (side, entry_no)
-- why:   invoices and payments that applications tie together, however many, are one group
from entry_group
union all
select distinct match_id, 'ours', ours_row
from application_row
where ours_row is not null
union all
select distinct match_id, 'theirs', theirs_row
from application_row
where ours_row is not null
