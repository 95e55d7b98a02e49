-- step:  left_line
-- in:    open_line, reported_item, request_choice
-- out:   left_line(line_no, item_no)
-- grain: one row per (line_no)
-- why:   which lines the scored sums are made of
select line_no, item_no
from open_line
join reported_item using (event_date, network, app_id, ad_unit_id, country, format)
where request_id is null and line_no not in (select reported_no from request_choice)
