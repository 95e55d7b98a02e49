-- step:  numbered_receipt
-- in:    window_receipt
-- out:   numbered_receipt(receipt_no, receipt_id, request_id, placement_id, ts_us, floor_cpm_micros, currency, winner_cpm_micros, winner_network, receipt_hash)
-- grain: one row per (receipt_no)
-- form:  scan
-- why:   receipts by their place, in the order in which they are read, so that what is found out about each goes by a
--        number and meets the rest of it again without sorting or joining the wide rows
select row_number() over () as receipt_no, *
from window_receipt
