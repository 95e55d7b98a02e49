-- step:  single_lines
-- in:    open_line, sum_cell
-- out:   reported_item(item_no, network, event_date, app_id, ad_unit_id, country, format, micros)
-- grain: one row per (item_no)
-- why:   a line of at most one impression is scored against single requests
select
  line_no as item_no, l.network, l.event_date, l.app_id, l.ad_unit_id, l.country, l.format, l.micros
from open_line l
left join sum_cell s
  on s.event_date = l.event_date and s.network = l.network and s.app_id = l.app_id and s.ad_unit_id = l.ad_unit_id
  and s.country = l.country and s.format = l.format
where impressions <= 1 and (s.network is null or request_id is not null)
