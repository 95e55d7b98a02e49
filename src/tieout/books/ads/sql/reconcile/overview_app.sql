-- step:  overview_app
-- in:    window_unit, delta_unit
-- out:   overview_app(event_date, network, format, country, app_id, currency, impressions, expected_micros, paid_micros, expected_rows, covered_rows, explained_micros)
-- grain: one row per (event_date, network, format, country, app_id, currency)
-- form:  fact
-- why:   both sides of each day in few rows, with what a statement covers and what deltas explain, so that an overview of
--        any period is a sum over small files
with
explained as (
  select
    event_date, network, format, country, app_id, currency, cast(sum(amount_micros) as bigint) as explained_micros
  from delta_unit
  group by all
),
side as (
  select
    event_date, network, format, country, app_id, currency, cast(sum(impressions) as bigint) as impressions,
    cast(sum(expected_micros) as bigint) as expected_micros, cast(sum(reported_micros) as bigint) as paid_micros,
    cast(sum(expected_rows) as bigint) as expected_rows,
    cast(coalesce(sum(expected_rows) filter (reported_rows > 0 and outcome = 'auto'), 0) as bigint) as covered_rows
  from window_unit
  group by all
)
select
  s.event_date, coalesce(s.network, '') as network, coalesce(s.format, '') as format,
  coalesce(s.country, '') as country, coalesce(s.app_id, '') as app_id, s.currency, impressions, expected_micros,
  paid_micros, expected_rows, covered_rows, coalesce(explained_micros, 0) as explained_micros
from side s
left join explained e
  on e.event_date = s.event_date and e.currency = s.currency and e.network is not distinct from s.network
  and e.format is not distinct from s.format and e.country is not distinct from s.country
  and e.app_id is not distinct from s.app_id
order by all
