-- step:  measured_request
-- in:    expected, run
-- out:   measured_request(request_id, viewable_ppm)
-- grain: one row per (request_id)
-- why:   what our own measurement says of each request, once
select request_id, max(om_viewable_ppm) as viewable_ppm
from expected, run
where ts_us >= start_us and ts_us < end_us and om_viewable_ppm is not null
group by request_id
