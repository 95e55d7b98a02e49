-- step:  unit_gap
-- in:    judged_unit
-- out:   unit_gap(unit_no, is_late, is_alone, waiting_micros, waiting_rows, lost_micros, lost_rows, price_micros, ivt_micros, over_micros, over_rows, duplicate_micros, unexpected_micros, unexpected_rows, review_micros)
-- grain: one row per (unit_no)
-- why:   each difference is split: first what no event of ours has paid for yet, then impressions that were not
--        reported, at our average price, and the rest is price. A side that stands alone is waiting, lost, repeated or
--        unexpected as a whole
with
compared as (
  select
    *, outcome = 'auto' and expected_rows > 0 as is_matched, reported_rows = 0 as is_alone,
    expected_micros - reported_micros as gap_micros, expected_rows - unpaid_rows as paid_rows,
    expected_micros - unpaid_micros as paid_micros
  from judged_unit
),
waiting as (
  select
    *, not is_matched and not is_alone and outcome in ('auto', 'unmatched') as is_unexpected,
    case
      when is_matched then least(unpaid_micros, greatest(gap_micros, 0))
      when is_alone then unpaid_micros
      else 0
    end as waiting_micros,
    case
      when is_alone then paid_rows
      when is_matched and impressions > 0 then greatest(paid_rows - impressions, 0)
      else 0
    end as lost_rows
  from compared
),
lost as (
  select
    *,
    case
      when is_alone then paid_micros
      when lost_rows > 0
        then least(gap_micros - waiting_micros, cast(paid_micros::hugeint * lost_rows // paid_rows as bigint))
      else 0
    end as lost_if_short
  from waiting
),
priced as (
  select *, if(is_alone or gap_micros > waiting_micros, lost_if_short, 0) as lost_micros from lost
)
select
  unit_no, is_late, is_alone, waiting_micros, if(waiting_micros > 0, unpaid_rows, 0) as waiting_rows, lost_micros,
  if(lost_micros > 0, lost_rows, 0) as lost_rows,
  if(is_matched, greatest(gap_micros - waiting_micros - lost_micros, 0), 0) as price_micros,
  if(is_matched, greatest(least(ivt_micros, gap_micros - waiting_micros - lost_micros), 0), 0) as ivt_micros,
  if(is_matched, greatest(-gap_micros, 0), 0) as over_micros,
  if(is_matched and gap_micros < 0, greatest(impressions - expected_rows, 0), 0) as over_rows,
  if(outcome = 'duplicate', reported_micros, 0) as duplicate_micros,
  if(is_unexpected, reported_micros, 0) as unexpected_micros,
  if(is_unexpected and reported_micros > 0, impressions, 0) as unexpected_rows,
  if(outcome = 'review', gap_micros, 0) as review_micros
from priced
