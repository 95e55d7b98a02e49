-- step:  expected
-- in:    numbered_receipt, expected_value
-- out:   expected(event_date, request_id, placement_id, network, app_id, ad_unit_id, format, country, expected_usd_micros, currency, is_paid, floor_cpm_micros, floor_currency, receipt_hash, om_viewable_ppm, ts_us)
-- grain: one row per (request_id)
-- form:  fact
-- split: receipt_no of numbered_receipt
-- why:   a request that was paid is worth what its first paid event says; one that was only won is worth the winning
--        bid. Rows stand as their receipts do: both sides come in that order and are laid side by side, and that they
--        are about the same receipt is looked at in each row
select
  cast(make_timestamp(r.ts_us) as date) as event_date, request_id, placement_id, network, app_id, ad_unit_id, format,
  country,
  if(r.receipt_no = v.receipt_no and r.ts_us = v.ts_us, micros, error('a receipt has another one''s value'))
    as expected_usd_micros,
  'USD' as currency, is_paid, floor_cpm_micros, currency as floor_currency,
  coalesce(receipt_hash, '') as receipt_hash, viewable_ppm as om_viewable_ppm, r.ts_us
from (from numbered_receipt where receipt_no between $first and $last) r
positional join (from expected_value where receipt_no between $first and $last order by receipt_no) v
where is_expected
