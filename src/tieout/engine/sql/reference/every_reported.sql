-- step:  every_reported
-- in:    reported
-- out:   closer_reported(entry_no, ref, group_ref, day, occurred_us, currency, amount_micros, quantity_micros, fee_micros, fx_rate_nanos, text, unit_1, unit_2, unit_3, unit_4, unit_5, unit_6, compared, source, is_open)
-- form:  scan
-- why:   stands for closer_reported where the plan names no reference: every row is open then, and to keep them all a second
--        time would take more room than anything else. A later step reads the columns that it needs from the rows as loaded
select *, true as is_open
from reported
