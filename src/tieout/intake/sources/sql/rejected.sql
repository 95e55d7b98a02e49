-- step:  rejected
-- in:    read_rejected, refused_row, refused_text, run
-- out:   rejected(row_no, line, column, reason_code, reason, raw)
-- form:  fact
-- why:   the quarantine of the load: what the reader refused and what loading refused, each with place and reason
select row_no, line, "column", reason_code, reason, raw from read_rejected
union all
select
  r.row_no, coalesce(r.line, t.line), case r.refusal when 'bad_date' then run.date_column else run.key_columns end,
  r.refusal,
  case r.refusal
    when 'bad_date' then run.date_column || ': ' || coalesce(t.day_text, '') || ' is no day as the column writes them'
    else 'nothing stands in ' || run.key_columns || ', which identify a row'
  end,
  left(t.raw, 1000)
from refused_row r
left join refused_text t using (row_no)
cross join run
order by row_no nulls last, line
