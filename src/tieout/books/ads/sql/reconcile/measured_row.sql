-- step:  measured_row
-- in:    expected
-- out:   measured(requests, ppm)
-- why:   what our own measurement says in all, of one run, which expects each request once
select count(*) as requests, coalesce(sum(om_viewable_ppm), 0) as ppm
from expected
where ts_us >= getvariable('start_us') and ts_us < getvariable('end_us') and om_viewable_ppm is not null
