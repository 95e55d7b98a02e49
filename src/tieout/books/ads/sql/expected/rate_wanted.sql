-- step:  rate_wanted
-- in:    unpaid_receipt
-- out:   rate_wanted(day, currency)
-- grain: one row per (day, currency)
-- why:   only a bid that no event paid for has to be converted
select distinct day, currency
from unpaid_receipt
where winner_cpm_micros > 0 and currency <> 'USD'
