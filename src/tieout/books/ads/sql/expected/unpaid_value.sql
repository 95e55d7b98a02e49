-- step:  unpaid_value
-- in:    unpaid_receipt, fx_rate, placement_unit
-- out:   unpaid_value(receipt_no, ts_us, receipt_id, reason_code, network, app_id, ad_unit_id, format, micros)
-- grain: one row per (receipt_no)
-- why:   a thousandth of the CPM at the day's rate, half a micro rounded up; without a bid or a rate nothing is expected,
--        and the reason is told
with
rated as (
  select u.*, if(u.currency = 'USD', 1000000000, f.usd_nanos) as usd_nanos
  from unpaid_receipt u
  left join fx_rate f using (day, currency)
)
select
  receipt_no, ts_us, receipt_id,
  case
    when winner_cpm_micros > 0 and usd_nanos is not null then ''
    when winner_cpm_micros > 0 then 'no_rate'
    else 'no_winner'
  end as reason_code,
  r.network, p.app_id, p.ad_unit_id, p.format,
  if(
    winner_cpm_micros > 0,
    cast((winner_cpm_micros::hugeint * usd_nanos + 500000000000) // 1000000000000 as bigint),
    null
  ) as micros
from rated r
left join placement_unit p using (placement_id, network)
