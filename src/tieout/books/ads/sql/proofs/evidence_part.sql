-- step:  evidence_part
-- in:    sealed, asked
-- out:   part(place, unit_id)
-- grain: one row per (place)
-- why:   the largest parts of a delta
select place, record->>'$.content.unit_id' as unit_id
from sealed, asked
where kind = 'delta_part' and party = evidence_id
order by abs(amount) desc, key
limit (select max_parts from asked)
