-- step:  repeated_request
-- in:    window_receipt
-- out:   repeated_request(request_id)
-- grain: one row per (request_id)
-- why:   few requests have several receipts, and only those need to be put in order
select request_id from window_receipt group by request_id having count(*) > 1
