-- step:  placement_unit
-- in:    numbered_receipt, receipt_event, repeated_event, first_of_repeated, dropped_receipt, unpaid_receipt
-- out:   placement_unit(placement_id, network, app_id, ad_unit_id, format)
-- grain: one row per (placement_id, network)
-- why:   a receipt names its placement only; the paid requests of the placement tell which unit of the network it is,
--        where they all say the same
with
said as (
  select receipt_no, network, app_id, ad_unit_id, format
  from receipt_event
  where is_paid and receipt_no not in (from repeated_event) and (select count(*) from unpaid_receipt) > 0
  union all
  select receipt_no, network, app_id, ad_unit_id, format
  from first_of_repeated
)
select
  placement_id, network,
  if(min(app_id) = max(app_id), min(app_id), null) as app_id,
  if(min(ad_unit_id) = max(ad_unit_id), min(ad_unit_id), null) as ad_unit_id,
  if(min(format) = max(format), min(format), null) as format
from numbered_receipt
join said using (receipt_no)
where
  placement_id in (select placement_id from unpaid_receipt)
  and receipt_no not in (select receipt_no from dropped_receipt)
group by all
