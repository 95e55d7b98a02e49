-- step:  surplus_line
-- in:    line, repeated_line, request_line, expected_cell
-- out:   surplus_line(line_no)
-- grain: one row per (line_no)
-- why:   lines of one impression may well be alike, so of those that are, only what a sum has beyond our own count of
--        its impressions is a repetition, the last lines first
with
candidate as (
  select *
  from line
  where
    request_id is null and currency = 'USD'
    and line_no not in (from repeated_line)
    and line_no not in (select line_no from request_line)
),
alike as (
  select line_no, event_date, network, app_id, ad_unit_id, country, format
  from candidate
  where impressions = 1
  qualify
    row_number() over (
      partition by
        network, event_date, app_id, ad_unit_id, country, format, paid_currency, clicks, paid_micros, ivt_paid_micros,
        viewable_ppm
      order by line_no
    ) > 1
),
crowded as (
  select
    c.event_date, c.network, c.app_id, c.ad_unit_id, c.country, c.format,
    sum(c.impressions) - min(e.expected_rows) as excess
  from candidate c
  semi join alike using (event_date, network, app_id, ad_unit_id, country, format)
  join expected_cell e using (event_date, network, app_id, ad_unit_id, country, format)
  group by all
  having excess > 0
)
select line_no
from alike
join crowded using (event_date, network, app_id, ad_unit_id, country, format)
qualify
  row_number() over (
    partition by event_date, network, app_id, ad_unit_id, country, format order by line_no desc
  ) <= min(excess) over (partition by event_date, network, app_id, ad_unit_id, country, format)
