-- step:  unit
-- in:    expected_end, line, line_end
-- out:   unit(unit_id, currency, outcome, pass, reason_code, event_date, network, app_id, ad_unit_id, country, format, expected_rows, expected_micros, unpaid_rows, unpaid_micros, reported_rows, impressions, reported_micros, ivt_micros)
-- grain: one row per (unit_id, currency)
-- form:  fact
-- why:   what is held against each other: a request or a sum of both sides, or what only one side has
with
reported_side as (
  select
    unit_id, currency, min(outcome) as outcome, min(pass) as pass, min(reason_code) as reason_code,
    min(event_date) as event_date, min(network) as network, min(app_id) as app_id, min(ad_unit_id) as ad_unit_id,
    min(country) as country, min(format) as format, count(*) as reported_rows,
    cast(sum(impressions) as bigint) as impressions, cast(sum(micros) as bigint) as micros,
    cast(sum(ivt_micros) as bigint) as ivt_micros
  from line_end
  join line using (line_no)
  group by unit_id, currency
),
expected_side as (select 'USD' as currency, * from expected_end)
select
  unit_id, currency, coalesce(r.outcome, 'unmatched') as outcome, coalesce(r.pass, '') as pass,
  coalesce(r.reason_code, '') as reason_code, coalesce(e.event_date, r.event_date) as event_date,
  coalesce(e.network, r.network) as network, coalesce(e.app_id, r.app_id) as app_id,
  coalesce(e.ad_unit_id, r.ad_unit_id) as ad_unit_id, coalesce(e.country, r.country) as country,
  coalesce(e.format, r.format) as format, coalesce(expected_rows, 0) as expected_rows,
  coalesce(e.micros, 0) as expected_micros, coalesce(unpaid_rows, 0) as unpaid_rows,
  coalesce(unpaid_micros, 0) as unpaid_micros, coalesce(reported_rows, 0) as reported_rows,
  coalesce(impressions, 0) as impressions, coalesce(r.micros, 0) as reported_micros, ivt_micros
from expected_side e
full join reported_side r using (unit_id, currency)
order by unit_id, currency
