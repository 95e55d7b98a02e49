-- step:  leaf
-- in:    record, seal
-- out:   leaf(position, kind, key, sum_side, sum_party, currency, amount_micros, record)
-- grain: one row per (kind, key)
-- why:   one canonical record a row, salted; numbered by kind and key, so that the same rows give the same leaves in the
--        same order
with
salted as (
  select
    r.*,
    canonical(
      json_object(
        'book', s.book, 'content', r.content, 'day', s.day, 'kind', r.kind, 'salt', salt_of(s.blinding, r.kind, r.key),
        'tenant', s.tenant
      )::varchar
    ) as text
  from record r, seal s
)
select
  row_number() over (order by kind, key) - 1 as position, kind, key, sum_side, sum_party, currency, amount_micros,
  text as record
from salted
order by position
