-- step:  evidence_sealed
-- in:    sealed_record
-- out:   sealed(place, kind, key, record, side, party, currency, amount)
-- grain: one row per (place)
-- why:   the sealed records of a day, with the sum that the amount of each is of
select
  place, kind, key, record,
  case kind when 'expected' then 'expected' when 'reported' then 'reported' when 'delta_part' then 'delta' end as side,
  if(kind = 'delta_part', record->>'$.content.evidence_id', record->>'$.content.network') as party,
  record->>'$.content.currency' as currency,
  cast(
    case kind
      when 'expected' then record->>'$.content.expected_micros'
      when 'reported' then record->>'$.content.reported_micros'
      when 'delta_part' then record->>'$.content.amount_micros'
    end as bigint
  ) as amount
from sealed_record
