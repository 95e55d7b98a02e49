-- step:  unmatched_line
-- in:    line_end, line
-- out:   unmatched_line(statement_id, unit_id, outcome, reason_code, event_date, network, app_id, ad_unit_id, country, format, impressions, paid_micros, currency, request_id, load_id, artifact_id, row_no)
-- grain: one row per (network, load_id, artifact_id, row_no)
-- form:  fact
-- why:   what was reported and answers to nothing of ours, line by line, with the reason
select
  statement_id, unit_id, outcome, reason_code, event_date, network, app_id, ad_unit_id, country, format, impressions,
  paid_micros, paid_currency as currency, request_id, load_id, artifact_id, row_no
from line_end
join line using (line_no)
where outcome in ('unmatched', 'duplicate')
order by network, load_id, artifact_id, row_no
