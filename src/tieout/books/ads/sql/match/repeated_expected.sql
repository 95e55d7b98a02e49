-- step:  repeated_expected
-- in:    expected, run
-- out:   repeated_expected(request_id)
-- grain: one row per (request_id)
-- why:   periods that overlap expect the same request twice; few do, and only those need to be put in order
select request_id
from expected, run
where ts_us >= start_us and ts_us < end_us
group by request_id
having count(*) > 1
