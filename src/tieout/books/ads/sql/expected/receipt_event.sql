-- step:  receipt_event
-- in:    numbered_receipt, paid_event
-- out:   receipt_event(receipt_no, ts_us, is_paid, event_us, network, app_id, ad_unit_id, format, country, revenue_usd_micros, viewable_ppm)
-- why:   each receipt with the paid events of its request, or with none
select
  receipt_no, ts_us, e.request_id is not null as is_paid, event_us, network, app_id, ad_unit_id, format, country,
  revenue_usd_micros, viewable_ppm
from numbered_receipt r
left join paid_event e using (request_id)
