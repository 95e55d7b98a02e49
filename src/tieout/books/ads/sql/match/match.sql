-- step:  match
-- in:    line_end, line
-- out:   match(statement_id, request_id, unit_id, link_confidence, keys_used, score_e9, event_date, network, load_id, artifact_id, row_no, paid_micros, currency, usd_micros)
-- grain: one row per (network, load_id, artifact_id, row_no)
-- form:  fact
-- why:   which line is explained by which request or sum, how surely and by which keys
select
  statement_id, if(starts_with(unit_id, 'request:'), unit_id[9:], null) as request_id, unit_id,
  cast((score_e9 + 5000000) // 10000000 / 100 as decimal(5, 2)) as link_confidence,
  case pass
    when 'exact' then 'exact'
    when 'reviewed' then 'reviewed'
    when 'sum' then 'day,network,app,ad_unit,country,format,currency'
    else 'time,amount,unit'
  end as keys_used,
  score_e9, event_date, network, load_id, artifact_id, row_no, paid_micros, paid_currency as currency,
  micros as usd_micros
from line_end
join line using (line_no)
where outcome = 'auto'
order by network, load_id, artifact_id, row_no
