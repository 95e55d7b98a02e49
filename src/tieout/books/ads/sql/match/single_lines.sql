-- step:  single_lines
-- in:    open_line, sum_cell
-- out:   reported_item(item_no, network, event_date, app_id, ad_unit_id, country, format, micros)
-- grain: one row per (item_no)
-- why:   a line of at most one impression is scored against single requests, unless the network states the day in sums:
--        there it is a sum too, and the noon of the day says nothing about its request
with
stated_in_sums as (
  select distinct network, event_date from open_line where impressions > 1 and request_id is null
)
select
  line_no as item_no, l.network, l.event_date, l.app_id, l.ad_unit_id, l.country, l.format, l.micros
from open_line l
left join sum_cell s
  on s.event_date = l.event_date and s.network = l.network and s.app_id = l.app_id and s.ad_unit_id = l.ad_unit_id
  and s.country = l.country and s.format = l.format
left join stated_in_sums i on i.network = l.network and i.event_date = l.event_date
where impressions <= 1 and (request_id is not null or (s.network is null and i.network is null))
