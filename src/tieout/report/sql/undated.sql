-- query: undated
-- in:    daily, $currency
-- out:   delta_micros
-- why:   what has no day cannot stand in the picture by day, so the caption says how much it is
select coalesce(sum(delta_micros), 0) as delta_micros from daily where currency = $currency and day is null
