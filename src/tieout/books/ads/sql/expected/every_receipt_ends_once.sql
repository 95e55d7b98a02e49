-- step:  every_receipt_ends_once
-- in:    window_receipt, expected, skipped
-- out:   every_receipt_ends_once(receipts, expected_rows, skipped_rows)
-- form:  check
-- why:   each receipt of the period is expected or skipped with a reason
select
  (select count(*) from window_receipt) as receipts,
  (select count(*) from expected) as expected_rows,
  (select coalesce(sum(receipts), 0) from skipped) as skipped_rows
where receipts <> expected_rows + skipped_rows
