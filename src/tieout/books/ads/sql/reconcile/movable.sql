-- step:  movable
-- in:    open_gap, judged_unit
-- out:   movable(unit_no, is_short, key_no, group_no, is_blank, day_no, impressions, micros)
-- grain: one row per (unit_no)
-- why:   impressions with their money that a day lacks, or has beyond what we expect of it, by what they are of: app, ad
--        unit, country, format and currency of a network. A receipt tells no country, so that what waits for an event
--        may be of any (it is blank). A price that differs moves no impression and stays where it is
with
sided as (
  select
    unit_no, waiting_rows + lost_rows > 0 as is_short,
    if(waiting_rows + lost_rows > 0, waiting_rows + lost_rows, over_rows + unexpected_rows) as impressions,
    if(
      waiting_rows + lost_rows > 0, waiting_micros + lost_micros + price_micros, over_micros + unexpected_micros
    ) as micros
  from open_gap
),
keyed as (
  select
    s.*, country, event_date - date '1970-01-01' as day_no,
    dense_rank() over (order by network, app_id, ad_unit_id, format, currency) as group_no,
    dense_rank() over (order by network, app_id, ad_unit_id, format, currency, country) as key_no
  from sided s
  join judged_unit using (unit_no)
  where s.impressions > 0 and micros > 0
)
select unit_no, is_short, key_no, group_no, country = '' as is_blank, day_no, impressions, micros
from keyed
window of_group as (partition by group_no)
qualify bool_or(is_short) over of_group and bool_or(not is_short) over of_group
