-- step:  skipped
-- in:    dropped_receipt, unpaid_value
-- out:   skipped(reason_code, receipts, first_receipt_id)
-- grain: one row per (reason_code)
-- form:  fact
-- why:   a receipt that makes nothing expected is counted under its reason, never lost
select
  reason_code, count(*) as receipts, if(reason_code = 'request_repeated', null, min(receipt_id)) as first_receipt_id
from (
  select reason_code, receipt_id from dropped_receipt
  union all
  select reason_code, receipt_id from unpaid_value where reason_code <> ''
)
group by reason_code
order by reason_code
