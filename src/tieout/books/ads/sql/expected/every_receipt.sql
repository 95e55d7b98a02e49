-- step:  every_receipt
-- in:    receipt
-- out:   window_receipt(receipt_id, request_id, placement_id, ts_us, floor_cpm_micros, currency, winner_cpm_micros, winner_network, receipt_hash)
-- form:  scan
-- why:   what was auctioned in the period, whose last instant belongs to the next one; the period is no relation, so that
--        the engine knows how many rows to reckon with and skips the files that hold none
select
  receipt_id, request_id, placement_id, ts_us, floor_cpm_micros, currency, winner_cpm_micros, winner_network,
  receipt_hash
from receipt
where ts_us >= getvariable('start_us') and ts_us < getvariable('end_us')
