-- step:  truth_unit
-- in:    unit_truths, truth
-- out:   truth_unit(fault_no, fault, kind, event_date, network, app_id, ad_unit_id, country, format, amount_usd_micros, impressions, off_micros)
-- grain: one row per (fault_no, event_date, network, app_id, ad_unit_id, country, format)
-- form:  fact
-- why:   the units that each fault about money meets, in the signs of a delta: positive where more is expected than was
--        reported. What is stated on another day in another currency than dollars has the rate of that day, which is up
--        to a five hundredth off, and a micro an impression for rounding; the rest is exact
select
  fault_no, fault, kind, event_date, u.network, app_id, ad_unit_id, country, format, u.amount_usd_micros, u.impressions,
  if(fault in ('late', 'timezone') and currency <> 'USD', u.amount_usd_micros // 400 + u.impressions + 1, 0) as off_micros
from unit_truths u
join truth using (fault_no)
order by fault_no, event_date, network, app_id, ad_unit_id, country, format
