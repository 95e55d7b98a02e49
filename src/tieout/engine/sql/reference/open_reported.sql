-- step:  open_reported
-- in:    closer_reported
-- out:   open_reported(entry_no, ref, group_ref, day, occurred_us, currency, amount_micros, quantity_micros, fee_micros, fx_rate_nanos, text, unit_1, unit_2, unit_3, unit_4, unit_5, unit_6, compared, source)
-- form:  scan
-- why:   what no reference settled
select * exclude (is_open)
from closer_reported
where is_open
