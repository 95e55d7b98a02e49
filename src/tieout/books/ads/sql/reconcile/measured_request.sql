-- step:  measured_request
-- in:    expected
-- out:   measured(requests, ppm)
-- why:   what our own measurement says in all; periods that overlap may expect a request twice, and it counts once
select count(*) as requests, coalesce(sum(viewable_ppm), 0) as ppm
from (
  select max(om_viewable_ppm) as viewable_ppm
  from expected
  where ts_us >= getvariable('start_us') and ts_us < getvariable('end_us') and om_viewable_ppm is not null
  group by request_id
)
