-- step:  every_receipt
-- in:    receipt, run
-- out:   window_receipt(receipt_id, request_id, placement_id, ts_us, floor_cpm_micros, currency, winner_cpm_micros, winner_network, receipt_hash)
-- why:   what was auctioned in the period, whose last instant belongs to the next one
select
  receipt_id, request_id, placement_id, ts_us, floor_cpm_micros, currency, winner_cpm_micros, winner_network,
  receipt_hash
from receipt, run
where ts_us >= start_us and ts_us < end_us
