-- step:  superseded_row
-- in:    changed_row, lacking_row, run
-- out:   superseded_row(load, content, occurrence, day, reason)
-- grain: one row per (content, occurrence)
-- why:   rows that stop being current with this load
select load, content, occurrence, day, 'changed' as reason from changed_row
union all
select l.load, l.content, l.occurrence, l.day, 'restated' from lacking_row l cross join run where run.mode = 'restate'
