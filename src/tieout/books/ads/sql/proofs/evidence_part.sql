-- step:  evidence_part
-- in:    sealed, asked, claim
-- out:   part(place, unit_id)
-- grain: one row per (place)
-- why:   the largest parts of a delta; of a match or one part, that itself
select sealed.place, sealed.record->>'$.content.unit_id' as unit_id
from sealed, claim
where
  if(claim.kind = 'delta', sealed.kind = 'delta_part' and sealed.party = claim.key, sealed.place = claim.place)
  and claim.kind in ('delta', 'delta_part', 'match')
order by abs(sealed.amount) desc, sealed.key
limit (select if(kind = 'delta', max_parts, 1) from asked, claim)
