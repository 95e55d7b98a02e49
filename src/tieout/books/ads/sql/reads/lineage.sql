with
share as (
  select kind, currency, unit_id, cast(sum(amount_micros) as bigint) as amount_micros
  from read_parquet($units)
  where lower(network) = $network and list_contains($kinds, kind || ' ' || currency)
  group by all
),
line as (/* lines */)
select
  s.kind, s.currency, s.unit_id, s.amount_micros, l.load_id, l.artifact_id, l.row_no, l.event_date::varchar,
  l.paid_micros, l.paid_currency, count(*) over () as lines
from share s
left join line l using (unit_id)
order by abs(s.amount_micros) desc, s.kind, s.currency, s.unit_id, l.load_id, l.artifact_id, l.row_no
limit $at_most
