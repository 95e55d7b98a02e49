-- step:  ruling
-- in:    decided_pair, line
-- out:   ruling(item_no, name, ruling)
-- grain: one row per (item_no, name)
-- why:   what people decided about pairs, by the number that the line (of a sum its first) has in this run
select line_no as item_no, unit_id[strpos(unit_id, ':') + 1:] as name, min(ruling) as ruling
from decided_pair d
join line l
  on l.network = lower(d.network) and l.load_id = d.load_id and l.artifact_id = d.artifact_id and l.row_no = d.row_no
group by line_no, name
