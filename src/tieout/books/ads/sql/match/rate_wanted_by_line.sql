-- step:  rate_wanted_by_line
-- in:    window_line
-- out:   rate_wanted(day, currency)
-- grain: one row per (day, currency)
-- why:   a statement in another currency is held against dollars at the rate of its day
select distinct event_date as day, currency from window_line where currency <> 'USD'
