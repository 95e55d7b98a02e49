-- step:  record_reported
-- in:    statement_line, day
-- out:   record_reported(kind, key, content, sum_side, sum_party, currency, amount_micros)
-- grain: one row per (kind, key)
-- form:  view
-- why:   their entries of a day: what each line of a statement says, and of which file (its SHA-256) and row it is
select
  'reported' as kind,
  json_array(lower(network), load_id, artifact_id, row_no::varchar)::varchar as key,
  json_object(
    'ad_unit_id', ad_unit_id, 'app_id', app_id, 'artifact_id', artifact_id, 'clicks', clicks::varchar,
    'country', country, 'currency', currency, 'format', format, 'impressions', impressions::varchar,
    'ivt_micros', ivt_micros::varchar, 'load_id', load_id, 'network', lower(network),
    'report_id', report_id, 'reported_micros', paid_micros::varchar, 'request_id', request_id,
    'row_no', row_no::varchar, 'statement_id', statement_id, 'viewable_ppm', viewable_ppm::varchar
  ) as content,
  'reported' as sum_side, lower(network) as sum_party, currency, paid_micros as amount_micros
from statement_line, day
where event_date = day.day
