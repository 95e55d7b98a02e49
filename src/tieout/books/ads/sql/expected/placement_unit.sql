-- step:  placement_unit
-- in:    request_receipt, first_paid_event
-- out:   placement_unit(placement_id, network, app_id, ad_unit_id, format)
-- grain: one row per (placement_id, network)
-- why:   a receipt names its placement only; the paid requests of the placement tell which unit of the network it is,
--        where they all say the same
select
  placement_id, lower(network) as network,
  if(min(app_id) = max(app_id), min(app_id), null) as app_id,
  if(min(ad_unit_id) = max(ad_unit_id), min(ad_unit_id), null) as ad_unit_id,
  if(min(format) = max(format), min(format), null) as format
from request_receipt
join first_paid_event using (request_id)
group by all
