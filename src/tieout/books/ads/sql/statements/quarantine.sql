-- step:  quarantine
-- in:    refused_row, located_row, reader_refusal, received_file
-- out:   quarantine(file, artifact_id, row_no, line, column, reason_code, reason, raw)
-- form:  fact
-- why:   each row that was not taken, by the reader or by the typing, with its place in the file that was received
select
  f.name as file,
  f.artifact_id,
  q.row_no,
  q.line,
  q."column",
  q.reason_code,
  q.reason,
  q.raw
from (
  select r.file_no, r.row_no, coalesce(l.line, r.line) as line, r."column", r.code as reason_code, r.reason, l.raw
  from refused_row r
  left join located_row l using (file_no, row_no)
  union all
  select file_no, row_no, line, "column", reason_code, reason, raw
  from reader_refusal
) q
join received_file f using (file_no)
order by q.file_no, q.row_no nulls last, q.line, q.reason
