-- step:  dropped_receipt
-- in:    numbered_receipt, repeated_hash, earlier_request
-- out:   dropped_receipt(receipt_no, receipt_id, reason_code)
-- grain: one row per (receipt_no)
-- why:   one request is one impression at most, so its first receipt counts, and none where it was expected before
select receipt_no, receipt_id, 'expected_before' as reason_code
from numbered_receipt
where request_id in (from earlier_request)
union all
select receipt_no, receipt_id, 'request_repeated'
from (
  select
    receipt_no, receipt_id,
    row_number() over (
      partition by request_id
      order by
        ts_us, receipt_id, receipt_hash, placement_id, winner_network, winner_cpm_micros, floor_cpm_micros, currency,
        receipt_no
    ) as place
  from numbered_receipt
  where hash(request_id) in (from repeated_hash) and request_id not in (from earlier_request)
)
where place > 1
