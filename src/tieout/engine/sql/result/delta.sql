-- step:  delta
-- in:    pair_delta, differing, difference, group_delta, settlement_delta, lone_delta, run
-- out:   delta(delta_id, kind, amount_micros, currency, match_id, ours_row, theirs_row, reason_code, confidence, day, ours_amount_micros, theirs_amount_micros, rate_micros, volume_micros, fx_micros, timing_micros, fee_micros, duplicate_micros, missing_micros, unexpected_micros, unexplained_micros)
-- grain: one row per (delta_id)
-- form:  fact
-- why:   every difference, each with the parts that sum to it, numbered in file order. A pair whose amounts agree and
--        another compared column does not is a mismatch of value, and so is a group that ties out with some amounts
--        absent. Sums of a group that need more than 64 bits are left out; the difference itself must fit
with
columns_of as (
  select match_id - ours_offset as match_id, array_to_string(list_sort(list("column")), ',') as column_names
  from difference, run
  group by all
),
every as (
  from pair_delta
  union all by name
  select
    'value_mismatch' as kind, 0::bigint as amount_micros, expected_currency as currency, match_id, ours_row, theirs_row,
    'columns:' || column_names as reason_code, confidence, coalesce(expected_day, reported_day) as day,
    expected_micros as ours_amount_micros, reported_micros as theirs_amount_micros, 0::bigint as rate_micros,
    0::bigint as volume_micros, 0::bigint as fx_micros, 0::bigint as timing_micros, 0::bigint as fee_micros,
    0::bigint as duplicate_micros, 0::bigint as missing_micros, 0::bigint as unexpected_micros,
    0::bigint as unexplained_micros
  from differing
  join columns_of using (match_id)
  where expected_currency = reported_currency and abs(gap_micros) <= allowed_micros
  union all by name
  select
    case when not is_delta then 'value_mismatch' when amount_micros > 0 then 'underpay' else 'overpay' end as kind,
    if(is_delta, cast(amount_micros as bigint), 0) as amount_micros, currency, group_no as match_id, ours_row,
    theirs_row, if(has_gap_in_amounts, 'group_sum_incomplete', 'group_sum_differs') as reason_code,
    1.0::double as confidence, day, try_cast(expected_micros as bigint) as ours_amount_micros,
    try_cast(reported_micros as bigint) as theirs_amount_micros,
    0::bigint as rate_micros, 0::bigint as volume_micros, 0::bigint as fx_micros, 0::bigint as timing_micros,
    if(is_delta, cast(fee_micros as bigint), 0) as fee_micros,
    0::bigint as duplicate_micros, 0::bigint as missing_micros, 0::bigint as unexpected_micros,
    if(is_delta, cast(amount_micros - fee_micros as bigint), 0) as unexplained_micros
  from group_delta
  where is_delta or has_gap_in_amounts
  union all by name
  select
    * exclude (is_delta), 0::bigint as volume_micros, 0::bigint as fx_micros, 0::bigint as timing_micros,
    0::bigint as fee_micros, 0::bigint as duplicate_micros
  from settlement_delta
  where is_delta
  union all by name
  select
    kind, amount_micros, currency, null::bigint as match_id, ours_row, theirs_row, reason_code,
    1.0::double as confidence, day, ours_amount_micros, theirs_amount_micros,
    0::bigint as rate_micros, 0::bigint as volume_micros, 0::bigint as fx_micros,
    if(kind = 'timing_lag', coalesce(amount_micros, 0), 0) as timing_micros,
    0::bigint as fee_micros,
    if(kind = 'duplicate', coalesce(amount_micros, 0), 0) as duplicate_micros,
    if(kind = 'missing', coalesce(amount_micros, 0), 0) as missing_micros,
    if(kind = 'unexpected', coalesce(amount_micros, 0), 0) as unexpected_micros,
    0::bigint as unexplained_micros
  from lone_delta
)
select
  run_short || '-' || row_number() over (order by coalesce(every.ours_row, 9223372036854775807), every.theirs_row, currency, kind)
    as delta_id,
  kind, amount_micros, currency, match_id + ours_offset as match_id, ours_row + ours_offset as ours_row,
  theirs_row + theirs_offset as theirs_row, reason_code, confidence, day, ours_amount_micros,
  theirs_amount_micros, rate_micros, volume_micros, fx_micros, timing_micros, fee_micros, duplicate_micros,
  missing_micros, unexpected_micros, unexplained_micros
from every, run
order by coalesce(every.ours_row, 9223372036854775807), every.theirs_row, currency, kind
