-- step:  earlier_request
-- in:    receipt, window_receipt
-- out:   earlier_request(request_id)
-- grain: one row per (request_id)
-- why:   a request that was auctioned before the period was expected then; a retry after midnight adds no money
select distinct request_id
from receipt
where
  ts_us >= getvariable('lookback_from_us') and ts_us < getvariable('start_us')
  and request_id in (select request_id from window_receipt)
