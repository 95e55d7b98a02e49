-- step:  changed_row
-- in:    leaf, sealed_record
-- out:   changed_row(kind, key, what)
-- grain: one row per (kind, key)
-- why:   which rows that are published now are not those that were sealed: a day that was restated, or a changed file
select
  coalesce(l.kind, s.kind) as kind, coalesce(l.key, s.key) as key,
  case when s.record is null then 'added' when l.record is null then 'gone' else 'changed' end as what
from leaf l
full join (from sealed_record where kind not in ('sum', 'day')) s on l.kind = s.kind and l.key = s.key
where l.record is distinct from s.record
