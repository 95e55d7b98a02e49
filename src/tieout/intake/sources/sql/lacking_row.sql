-- step:  lacking_row
-- in:    current_row, arriving_row, changed_row, coverage
-- out:   lacking_row(load, content, occurrence, day)
-- grain: one row per (content, occurrence)
-- why:   what the source says of days that the file covers and the file does not say: either the file is a new version
--        of those days or a part of them, which nobody but the user knows
select c.load, c.content, c.occurrence, c.day
from current_row c
cross join coverage v
anti join arriving_row a on a.content = c.content and a.occurrence = c.occurrence
anti join changed_row g on g.content = c.content and g.occurrence = c.occurrence
where c.day between v.first_day and v.last_day or (c.day is null and v.undated > 0)
