-- step:  skipped
-- in:    window_receipt, request_receipt, earlier_request, expected
-- out:   skipped(reason_code, receipts, first_receipt_id)
-- grain: one row per (reason_code)
-- form:  fact
-- why:   a receipt that makes nothing expected is counted under its reason, never lost
with
lone as (
  select
    receipt_id,
    if(winner_cpm_micros > 0, 'no_rate', 'no_winner') as reason_code
  from request_receipt
  where request_id not in (select request_id from expected)
),
expected_before as (
  select receipt_id, 'expected_before' as reason_code
  from window_receipt
  where request_id in (from earlier_request)
),
repeated as (
  select count(*) - (select count(*) from request_receipt) as receipts
  from window_receipt
  where request_id not in (from earlier_request)
)
from (
  select reason_code, count(*) as receipts, min(receipt_id) as first_receipt_id
  from (from lone union all from expected_before)
  group by reason_code
  union all
  select 'request_repeated', receipts, null from repeated where receipts > 0
)
order by reason_code
