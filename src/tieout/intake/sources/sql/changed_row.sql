-- step:  changed_row
-- in:    current_row, added_row
-- out:   changed_row(load, content, occurrence, day)
-- grain: one row per (content, occurrence)
-- why:   a row with the key of a current one and other content is its new version; the user said so by naming the key
select c.load, c.content, c.occurrence, c.day
from current_row c
semi join added_row a on a.key = c.key
