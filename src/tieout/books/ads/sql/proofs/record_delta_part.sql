-- step:  record_delta_part
-- in:    delta_unit, delta
-- out:   record_delta_part(kind, key, content, sum_side, sum_party, currency, amount_micros)
-- grain: one row per (kind, key)
-- form:  view
-- why:   where each delta comes from, unit by unit; the parts of one delta are a sum, so that its total can be proven
--        from some of them
with
about_money as (
  select delta_window, kind, currency, min(evidence_id) as evidence_id
  from delta
  where kind not in ('ivt_outlier', 'fx_mismatch', 'viewability_gap')
  group by all
)
select
  'delta_part' as kind,
  json_array(d.evidence_id, u.unit_id, u.part)::varchar as key,
  json_object(
    'ad_unit_id', ad_unit_id, 'amount_micros', amount_micros::varchar, 'app_id', app_id, 'country', country,
    'currency', u.currency, 'event_date', event_date::varchar, 'evidence_id', d.evidence_id,
    'expected_micros', expected_micros::varchar, 'format', format, 'impressions', impressions::varchar,
    'kind', u.kind, 'network', network, 'part', part, 'reported_micros', reported_micros::varchar, 'unit_id', unit_id
  ) as content,
  'delta' as sum_side, d.evidence_id as sum_party, u.currency, amount_micros
from delta_unit u
join about_money d on d.delta_window = u.delta_window and d.kind = u.kind and d.currency = u.currency
