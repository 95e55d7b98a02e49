-- step:  expected
-- in:    request_receipt, first_paid_event, fx_rate, placement_unit
-- out:   expected(event_date, request_id, placement_id, network, app_id, ad_unit_id, format, country, expected_usd_micros, currency, is_paid, floor_cpm_micros, floor_currency, receipt_hash, om_viewable_ppm, ts_us)
-- grain: one row per (request_id)
-- form:  fact
-- why:   a request that was paid is worth what its first paid event says; one that was only won is worth the winning
--        bid: a thousandth of the CPM at the day's rate, half a micro rounded up
with
valued as (
  select
    cast(make_timestamp(r.ts_us) as date) as event_date, r.request_id, r.placement_id,
    lower(coalesce(e.network, r.winner_network)) as network,
    e.request_id is not null as is_paid, e.app_id, e.ad_unit_id, e.format, e.country,
    e.revenue_usd_micros, r.winner_cpm_micros,
    case when upper(r.currency) = 'USD' then 1000000000 else f.usd_nanos end as usd_nanos,
    r.floor_cpm_micros, r.currency as floor_currency, r.receipt_hash, e.viewable_ppm, r.ts_us
  from request_receipt r
  left join first_paid_event e using (request_id)
  left join fx_rate f on f.day = cast(make_timestamp(r.ts_us) as date) and f.currency = upper(r.currency)
)
select
  event_date, request_id, v.placement_id, v.network,
  if(is_paid, v.app_id, p.app_id) as app_id,
  if(is_paid, v.ad_unit_id, p.ad_unit_id) as ad_unit_id,
  if(is_paid, v.format, p.format) as format,
  country,
  if(
    is_paid,
    revenue_usd_micros,
    cast((winner_cpm_micros::hugeint * usd_nanos + 500000000000) // 1000000000000 as bigint)
  ) as expected_usd_micros,
  'USD' as currency, is_paid, floor_cpm_micros, floor_currency, coalesce(receipt_hash, '') as receipt_hash,
  viewable_ppm as om_viewable_ppm, ts_us
from valued v
left join placement_unit p on not v.is_paid and p.placement_id = v.placement_id and p.network = v.network
where is_paid or (winner_cpm_micros > 0 and usd_nanos is not null)
order by ts_us, request_id
