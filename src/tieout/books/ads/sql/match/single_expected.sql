-- step:  single_expected
-- in:    window_expected, request_line, request_choice
-- out:   single_expected(request_id, is_named, event_date, network, app_id, ad_unit_id, country, format, micros, is_paid)
-- grain: one row per (request_id)
-- why:   the requests that end by themselves: a line names them, or was scored against them
with
single as (
  select distinct request_id, true as is_named from request_line
  union all
  select name, false from request_choice
)
select request_id, is_named, event_date, network, app_id, ad_unit_id, country, format, micros, is_paid
from window_expected
join single using (request_id)
