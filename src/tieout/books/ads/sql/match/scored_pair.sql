-- step:  scored_pair
-- in:    blocked_pair, reported_item, expected_item, ruling, run
-- out:   scored_pair(reported_no, expected_no, name, score_e9, time_e12, amount_e12, unit_e12, agreeing, present, place)
-- grain: one row per (reported_no, expected_no)
-- why:   time, amount and unit hints, each a quotient of integers to twelve places, summed and rounded to nine: what
--        lies nearer together than that is a tie. A tie is decided by request, instant, distance of amounts and hints,
--        so the order of rows decides nothing. A pair that people accepted comes before all, one they rejected is none
with
compared as (
  select
    reported_no, expected_no, e.name, e.ts_us,
    least(abs(e.ts_us - epoch_us(r.event_date::timestamp) - 43200000000), time_window_us) as away_us,
    abs(r.micros::hugeint - e.micros) as gap_micros,
    r.micros as reported_micros, e.micros as expected_micros,
    (r.app_id <> '')::int + (r.ad_unit_id <> '')::int + (r.country <> '')::int + (r.format <> '')::int as present,
    (r.app_id <> '' and r.app_id = e.app_id)::int + (r.ad_unit_id <> '' and r.ad_unit_id = e.ad_unit_id)::int
    + (r.country <> '' and r.country = e.country)::int + (r.format <> '' and r.format = e.format)::int as agreeing,
    coalesce(u.ruling, '') as ruling, time_window_us, weight_time_e12, weight_amount_e12, weight_unit_e12, review_e9
  from blocked_pair
  join reported_item r on r.item_no = reported_no
  join expected_item e on e.item_no = expected_no
  left join ruling u on u.item_no = reported_no and u.name = e.name
  cross join run
  where r.network = e.network and u.ruling is distinct from 'rejected'
),
weighed as (
  select
    *,
    if(time_window_us = 0, 0, weight_time_e12::hugeint * (time_window_us - away_us) // time_window_us) as time_e12,
    if(
      reported_micros <= 0 or expected_micros <= 0,
      0,
      weight_amount_e12::hugeint * expected_micros // (expected_micros + 4 * gap_micros)
    ) as amount_e12,
    if(present = 0, 0, weight_unit_e12::hugeint * agreeing // present) as unit_e12
  from compared
),
scored as (
  select
    *,
    if(
      ruling = 'accepted',
      1000000000,
      least(cast((time_e12 + amount_e12 + unit_e12 + 500) // 1000 as bigint), 1000000000)
    ) as score_e9
  from weighed
)
select
  reported_no, expected_no, name, score_e9, cast(time_e12 as bigint) as time_e12,
  cast(amount_e12 as bigint) as amount_e12, cast(unit_e12 as bigint) as unit_e12, agreeing, present,
  row_number() over (
    order by
      (ruling = 'accepted') desc, score_e9 desc, name, ts_us, if(reported_micros <= 0, null, gap_micros) nulls last,
      4 - agreeing, reported_no
  ) as place
from scored
where score_e9 >= review_e9
