-- step:  receipt_by_place
-- in:    placed_receipt
-- out:   numbered_receipt(receipt_no, receipt_id, request_id, placement_id, ts_us, floor_cpm_micros, currency, winner_cpm_micros, winner_network, receipt_hash)
-- grain: one row per (receipt_no)
-- form:  scan
-- why:   receipts by their place in the files, so that any part of them is read without the rest
select
  place as receipt_no, receipt_id, request_id, placement_id, ts_us, floor_cpm_micros, currency, winner_cpm_micros,
  winner_network, receipt_hash
from placed_receipt
where ts_us >= getvariable('start_us') and ts_us < getvariable('end_us')
