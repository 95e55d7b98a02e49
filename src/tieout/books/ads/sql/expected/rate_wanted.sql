-- step:  rate_wanted
-- in:    request_receipt, first_paid_event
-- out:   rate_wanted(day, currency)
-- grain: one row per (day, currency)
-- why:   only a bid that no event paid for has to be converted
select distinct cast(make_timestamp(ts_us) as date) as day, upper(currency) as currency
from request_receipt
where
  request_id not in (select request_id from first_paid_event)
  and winner_cpm_micros > 0 and upper(currency) <> 'USD'
