-- step:  request_receipt
-- in:    window_receipt, repeated_request, earlier_request
-- out:   request_receipt(receipt_id, request_id, placement_id, ts_us, floor_cpm_micros, currency, winner_cpm_micros, winner_network, receipt_hash)
-- grain: one row per (request_id)
-- why:   one request is one impression at most, so its first receipt counts
with
ordered as (
  select
    *,
    row_number() over (
      partition by request_id
      order by
        ts_us, receipt_id, receipt_hash, placement_id, winner_network, winner_cpm_micros, floor_cpm_micros, currency
    ) as place
  from window_receipt
  where request_id in (from repeated_request)
)
from (
  select
    receipt_id, request_id, placement_id, ts_us, floor_cpm_micros, currency, winner_cpm_micros, winner_network,
    receipt_hash
  from window_receipt
  where request_id not in (from repeated_request)
  union all
  select * exclude (place) from ordered where place = 1
)
where request_id not in (from earlier_request)
