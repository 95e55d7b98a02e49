-- step:  expected_value
-- in:    receipt_event, repeated_event, first_of_repeated, dropped_receipt, unpaid_value
-- out:   expected_value(receipt_no, ts_us, is_expected, is_paid, network, app_id, ad_unit_id, format, country, micros, viewable_ppm)
-- grain: one row per (receipt_no)
-- form:  scan
-- why:   what each receipt makes expected, or that it does not
with
paid as (
  select *
  from receipt_event
  where is_paid and receipt_no not in (from repeated_event)
  union all
  from first_of_repeated
)
select
  receipt_no, ts_us, true as is_expected, true as is_paid, network, app_id, ad_unit_id, format, country,
  revenue_usd_micros as micros, viewable_ppm
from paid
where receipt_no not in (select receipt_no from dropped_receipt)
union all
select receipt_no, ts_us, reason_code = '', false, network::word_network, app_id, ad_unit_id, format, null, micros, null
from unpaid_value
union all
select receipt_no, null, false, false, null, null, null, null, null, null, null
from dropped_receipt
