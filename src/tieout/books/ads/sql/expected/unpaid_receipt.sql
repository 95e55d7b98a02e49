-- step:  unpaid_receipt
-- in:    numbered_receipt, receipt_event, dropped_receipt
-- out:   unpaid_receipt(receipt_no, ts_us, receipt_id, placement_id, day, currency, winner_cpm_micros, network)
-- grain: one row per (receipt_no)
-- why:   what was only won is worth the winning bid, at the rate of its day, and its placement tells of which unit it is
select
  receipt_no, ts_us, receipt_id, placement_id, cast(make_timestamp(ts_us) as date) as day, upper(currency) as currency,
  winner_cpm_micros, lower(winner_network) as network
from numbered_receipt
where
  receipt_no in (select receipt_no from receipt_event where not is_paid)
  and receipt_no not in (select receipt_no from dropped_receipt)
