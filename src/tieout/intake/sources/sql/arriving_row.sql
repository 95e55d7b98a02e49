-- step:  arriving_row
-- in:    staged_row
-- out:   arriving_row(row_no, content, occurrence, key, day)
-- grain: one row per (content, occurrence)
-- why:   equal rows of one file are numbered, so that two equal coffees on one day stay two rows, and an overlap that
--        holds both adds none. Only repeated content is sorted for it
with
taken as (select row_no, content, key, day from staged_row where refusal is null),
repeated as (select content from taken group by content having count(*) > 1),
numbered as (
  select row_no, row_number() over (partition by content order by row_no) as occurrence
  from taken
  semi join repeated using (content)
)
select t.row_no, t.content, coalesce(n.occurrence, 1)::integer as occurrence, t.key, t.day
from taken t
left join numbered n using (row_no)
