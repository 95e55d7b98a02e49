-- step:  first_of_repeated
-- in:    receipt_event, repeated_event
-- out:   first_of_repeated(receipt_no, ts_us, is_paid, event_us, network, app_id, ad_unit_id, format, country, revenue_usd_micros, viewable_ppm)
-- grain: one row per (receipt_no)
-- why:   the first paid event is what the request earned; later ones repeat it
from receipt_event
where receipt_no in (from repeated_event)
qualify
  row_number() over (
    partition by receipt_no
    order by event_us, network, app_id, ad_unit_id, format, country, revenue_usd_micros, viewable_ppm
  ) = 1
