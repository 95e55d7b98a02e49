-- step:  current_row
-- in:    stored_row, retired_row
-- out:   current_row(load, content, occurrence, key, day)
-- grain: one row per (content, occurrence)
-- why:   what the source says now: every row that a load added, less those that a later load superseded. A row that came
--        back after it was superseded is a new version, so the load belongs to what is retired
select load, content, occurrence, key, day
from stored_row
anti join retired_row using (load, content, occurrence)
