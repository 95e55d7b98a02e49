-- step:  reported_cell
-- in:    open_line
-- out:   reported_cell(event_date, network, app_id, ad_unit_id, country, format, reported_rows, impressions, micros)
-- grain: one row per (event_date, network, app_id, ad_unit_id, country, format)
-- why:   an aggregated statement speaks of sums: all its lines of a day and a unit together
select
  event_date, network, app_id, ad_unit_id, country, format, count(*) as reported_rows,
  cast(sum(impressions) as bigint) as impressions, cast(sum(micros) as bigint) as micros
from open_line
where request_id is null
group by all
