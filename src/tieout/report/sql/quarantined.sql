-- query: quarantined
-- in:    quarantine, $limit
-- out:   side, file, line, row_no, column, reason_code, reason, raw
-- why:   in file order, as whoever mends the file will go through it
select side, file, line, row_no, "column", reason_code, reason, raw
from quarantine
order by side, file, line nulls last, row_no nulls last, "column", reason_code, raw
limit $limit
