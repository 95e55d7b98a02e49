-- step:  request_line
-- in:    line, repeated_line, window_expected
-- out:   request_line(line_no, request_id, place)
-- grain: one row per (line_no)
-- why:   a line that names a request that we expect is about that request; one of the same network comes first
select
  line_no, request_id,
  row_number() over (partition by request_id order by l.network <> e.network, line_no) as place
from line l
join window_expected e using (request_id)
where l.request_id is not null and line_no not in (from repeated_line)
