-- step:  line
-- in:    window_line, fx_rate
-- out:   line(line_no, statement_id, load_id, artifact_id, row_no, event_date, network, app_id, ad_unit_id, country, format, paid_currency, impressions, clicks, paid_micros, ivt_paid_micros, viewable_ppm, request_id, currency, micros, ivt_micros)
-- grain: one row per (line_no)
-- why:   the money of a line in dollars, half a micro rounded away from zero; a line whose currency has no rate keeps
--        its own, for an amount is never guessed
with
rated as (
  select w.*, if(w.currency = 'USD', 1000000000, f.usd_nanos) as nanos
  from window_line w
  left join fx_rate f on f.day = w.event_date and f.currency = w.currency
)
select
  line_no, statement_id, load_id, artifact_id, row_no, event_date, network, app_id, ad_unit_id, country, format,
  currency as paid_currency, impressions, clicks, paid_micros, ivt_micros as ivt_paid_micros, viewable_ppm, request_id,
  if(nanos is null, currency, 'USD') as currency,
  if(
    nanos is null,
    paid_micros,
    cast(sign(paid_micros) * ((abs(paid_micros::hugeint) * nanos + 500000000) // 1000000000) as bigint)
  ) as micros,
  if(
    nanos is null,
    ivt_micros,
    cast(sign(ivt_micros) * ((abs(ivt_micros::hugeint) * nanos + 500000000) // 1000000000) as bigint)
  ) as ivt_micros
from rated
