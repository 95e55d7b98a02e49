-- step:  repeated_key
-- in:    arriving_row
-- out:   repeated_key(first_row, last_row, rows)
-- why:   columns that are said to identify a row must do so within one file
select min(row_no) as first_row, max(row_no) as last_row, count(*) as rows
from arriving_row
where key is not null
group by key
having count(*) > 1
order by first_row
