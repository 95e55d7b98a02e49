-- step:  settlement_delta
-- in:    application_row, open_expected, open_reported, run
-- out:   settlement_delta(kind, amount_micros, currency, match_id, ours_row, theirs_row, reason_code, confidence, day, ours_amount_micros, theirs_amount_micros, rate_micros, missing_micros, unexpected_micros, unexplained_micros, is_delta)
-- empty: when application_row
-- types: varchar, bigint, varchar, bigint, bigint, bigint, varchar, double, date, bigint, bigint, bigint, bigint, bigint, bigint, boolean
-- why:   what stays open of an invoice and what is left of a payment after all applications; together they are the
--        difference of the group's sums. A discount is a change of price (rate), what a partial payment leaves is
--        still to come (missing), what was paid beyond the invoice was not expected (unexpected), and a deduction is
--        for a person to explain
with
invoice as (
  select
    min(match_id) as match_id, ours_row, max(theirs_row) as theirs_row, sum(applied_micros) as applied_micros,
    min(confidence) as confidence,
    case
      when bool_or(kind = 'discount') then 'discount'
      when bool_or(kind = 'short_payment') then 'short_payment'
      else 'partial_payment'
    end as reason_code
  from application_row
  where ours_row is not null and kind <> 'sum'
  group by ours_row
),
payment as (
  select
    min(match_id) as match_id, theirs_row, sum(applied_micros) as applied_micros, min(confidence) as confidence,
    if(bool_or(kind = 'over_payment'), 'over_payment', 'not_applied') as reason_code
  from application_row
  where ours_row is not null and kind <> 'sum'
  group by theirs_row
),
gap as (
  select
    i.match_id, i.ours_row, i.theirs_row, i.confidence, i.reason_code, coalesce(e.currency, '') as currency, e.day,
    e.amount_micros - i.applied_micros as micros, e.amount_micros as ours_micros,
    cast(i.applied_micros as bigint) as theirs_micros
  from invoice i
  join open_expected e on e.entry_no = i.ours_row
  union all
  select
    p.match_id, null, p.theirs_row, p.confidence, p.reason_code, coalesce(e.currency, ''), e.day,
    p.applied_micros - e.amount_micros, null, e.amount_micros
  from payment p
  join open_reported e on e.entry_no = p.theirs_row
)
select
  if(micros > 0, 'underpay', 'overpay') as kind, cast(micros as bigint) as amount_micros, currency, match_id, ours_row,
  theirs_row, reason_code, confidence, day, ours_micros as ours_amount_micros, theirs_micros as theirs_amount_micros,
  cast(if(reason_code = 'discount', micros, 0) as bigint) as rate_micros,
  cast(if(reason_code = 'partial_payment', micros, 0) as bigint) as missing_micros,
  cast(if(reason_code in ('over_payment', 'not_applied'), micros, 0) as bigint) as unexpected_micros,
  cast(if(reason_code = 'short_payment', micros, 0) as bigint) as unexplained_micros,
  abs(micros) > allowed_gap(coalesce(ours_micros, 0), tolerance_micros, tolerance_ppm) as is_delta
from gap
cross join run
where micros <> 0
