-- step:  repeated_event
-- in:    receipt_event, window_receipt
-- out:   repeated_event(receipt_no)
-- grain: one row per (receipt_no)
-- why:   few requests have several paid events, and only those need to be put in order; there are none where there are
--        no more rows than receipts
select receipt_no
from receipt_event
where (select count(*) from receipt_event) > (select count(*) from window_receipt)
group by receipt_no
having count(*) > 1
