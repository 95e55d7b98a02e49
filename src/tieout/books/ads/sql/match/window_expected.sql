-- step:  window_expected
-- in:    expected, repeated_expected, run
-- out:   window_expected(request_id, event_date, network, app_id, ad_unit_id, country, format, micros, is_paid, ts_us)
-- grain: one row per (request_id)
-- why:   what is expected in the period, each request once: where runs differ, the one that knows of a payment
with
given as (
  select
    request_id, event_date, coalesce(lower(network), '') as network, coalesce(app_id, '') as app_id,
    coalesce(ad_unit_id, '') as ad_unit_id, coalesce(upper(country), '') as country,
    coalesce(lower(format), '') as format, expected_usd_micros as micros, is_paid, ts_us
  from expected, run
  where ts_us >= start_us and ts_us < end_us
),
ordered as (
  select
    *,
    row_number() over (
      partition by request_id
      order by is_paid desc, ts_us, micros, network, app_id, ad_unit_id, country, format
    ) as place
  from given
  where request_id in (from repeated_expected)
)
from given
where request_id not in (from repeated_expected)
union all
select * exclude (place) from ordered where place = 1
