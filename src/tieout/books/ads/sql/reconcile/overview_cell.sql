-- step:  overview_cell
-- in:    overview_app
-- out:   overview_cell(event_date, network, format, country, currency, impressions, expected_micros, paid_micros, expected_rows, covered_rows, explained_micros)
-- grain: one row per (event_date, network, format, country, currency)
-- form:  fact
-- why:   the same without the app, for an overview of all of them
select
  event_date, network, format, country, currency, cast(sum(impressions) as bigint) as impressions,
  cast(sum(expected_micros) as bigint) as expected_micros, cast(sum(paid_micros) as bigint) as paid_micros,
  cast(sum(expected_rows) as bigint) as expected_rows, cast(sum(covered_rows) as bigint) as covered_rows,
  cast(sum(explained_micros) as bigint) as explained_micros
from overview_app
group by all
order by all
