-- step:  first_receipts
-- in:    earliest_receipt
-- out:   window_receipt(receipt_id, request_id, placement_id, ts_us, floor_cpm_micros, currency, winner_cpm_micros, winner_network, receipt_hash)
-- form:  scan
-- why:   of a period with a limit the earliest receipts count
from earliest_receipt
