-- query: open_reasons
-- in:    unmatched_ours, unmatched_theirs
-- out:   side, reason_code, rows
-- grain: one row per (side, reason_code)
-- why:   every list in the report says how many of how many it shows
select 'ours' as side, reason_code, count(*) as "rows" from unmatched_ours group by reason_code
union all
select 'theirs', reason_code, count(*) from unmatched_theirs group by reason_code
order by side, reason_code
