-- step:  blocked_pair
-- in:    reported_item, expected_item, run
-- out:   blocked_pair(reported_no, expected_no)
-- grain: one row per (reported_no, expected_no)
-- why:   only pairs of a day that share a block are scored: the amount, the unit, the app with its format and country, or
--        the noon of the day. What is stated on another day is found when the period is judged. Of a crowded block the
--        first so many of each side count, which bounds the work
with
reported_key as (
  select item_no, 1 as block, hash(network, event_date, micros) as key from reported_item
  union all
  select item_no, 2, hash(network, event_date, app_id, ad_unit_id) from reported_item
  union all
  select item_no, 3, hash(network, event_date, app_id, format, country) from reported_item
  union all
  select item_no, 4, hash(network, event_date) from reported_item
),
expected_key as (
  select
    item_no, name, abs(ts_us - epoch_us(event_date::timestamp) - 43200000000) as away_us, unnest(block) as block,
    unnest(key) as key
  from (
    select
      item_no, name, event_date, ts_us, [1, 2, 3, 4] as block,
      [
        hash(network, event_date, micros),
        hash(network, event_date, app_id, ad_unit_id),
        hash(network, event_date, app_id, format, country),
        hash(network, event_date)
      ] as key
    from expected_item
  )
),
reported_few as (
  from reported_key
  qualify row_number() over (partition by block, key order by item_no) <= (select crowd from run)
),
expected_few as (
  from expected_key
  where block <> 4 or away_us < (select time_window_us from run)
  qualify row_number() over (partition by block, key order by away_us, name) <= (select crowd from run)
)
select distinct r.item_no as reported_no, e.item_no as expected_no
from reported_few r
join expected_few e using (block, key)
