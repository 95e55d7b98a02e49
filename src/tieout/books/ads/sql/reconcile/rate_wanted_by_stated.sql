-- step:  rate_wanted_by_stated
-- in:    stated_line
-- out:   rate_wanted(day, currency)
-- grain: one row per (day, currency)
-- why:   shares of several currencies are shares of dollars
select distinct event_date as day, currency from stated_line where currency <> 'USD' and ivt_micros is not null
