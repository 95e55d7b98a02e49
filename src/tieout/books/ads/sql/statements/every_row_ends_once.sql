-- step:  every_row_ends_once
-- in:    received_row, statement_line, quarantine, reader_refusal
-- out:   every_row_ends_once(received, taken, refused)
-- form:  check
-- why:   each row of the files is a line of the statement or in quarantine, none in both and none in neither
select *
from (
  select
    (select count(*) from received_row) + (select count(*) from reader_refusal) as received,
    (select count(*) from statement_line) as taken,
    (select count(*) from quarantine) as refused
)
where received <> taken + refused
