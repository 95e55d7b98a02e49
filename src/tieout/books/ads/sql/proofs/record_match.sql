-- step:  record_match
-- in:    match, day
-- out:   record_match(kind, key, content, sum_side, sum_party, currency, amount_micros)
-- grain: one row per (kind, key)
-- form:  view
-- why:   which line of a day answers to which request or sum of ours, how surely and by which keys
select
  'match' as kind,
  json_array(match_window, lower(network), load_id, artifact_id, row_no::varchar)::varchar as key,
  json_object(
    'artifact_id', artifact_id, 'keys_used', keys_used, 'link_confidence', link_confidence::varchar,
    'load_id', load_id, 'network', lower(network), 'request_id', request_id, 'row_no', row_no::varchar,
    'score_e9', score_e9::varchar, 'statement_id', statement_id, 'unit_id', unit_id, 'usd_micros', usd_micros::varchar,
    'window', match_window
  ) as content,
  null::varchar as sum_side, null::varchar as sum_party, null::varchar as currency, null::bigint as amount_micros
from match, day
where event_date = day.day
