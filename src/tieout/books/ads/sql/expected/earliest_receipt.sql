-- step:  earliest_receipt
-- in:    receipt, run
-- out:   earliest_receipt(receipt_id, request_id, placement_id, ts_us, floor_cpm_micros, currency, winner_cpm_micros, winner_network, receipt_hash)
-- why:   an operator who limits the receipts gets the earliest, the same ones each time
select
  receipt_id, request_id, placement_id, ts_us, floor_cpm_micros, currency, winner_cpm_micros, winner_network,
  receipt_hash
from receipt
where ts_us >= getvariable('start_us') and ts_us < getvariable('end_us')
order by
  ts_us, receipt_id, receipt_hash, request_id, placement_id, winner_network, winner_cpm_micros, floor_cpm_micros,
  currency
limit (select row_limit from run)
