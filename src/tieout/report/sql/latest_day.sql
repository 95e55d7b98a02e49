-- query: latest_day
-- in:    daily
-- out:   day
-- why:   the age of an open item counts from the last day that the data knows, so that a report says the same tomorrow
select max(day) as day from daily
