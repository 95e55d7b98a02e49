-- step:  group_delta
-- in:    entry_group, application_row, open_expected, open_reported, run
-- out:   group_delta(group_no, currency, ours_row, theirs_row, day, expected_micros, reported_micros, fee_micros, amount_micros, is_delta, has_gap_in_amounts)
-- grain: one row per (group_no)
-- empty: when entry_group
-- types: bigint, varchar, bigint, bigint, date, hugeint, hugeint, hugeint, hugeint, boolean, boolean
-- why:   a group ties out when its two sums do; one delta stands for the whole group. Stated fees count where they
--        bring the sums nearer. Sums stay wider than 64 bits here. A group of which some amounts are absent has a
--        gap in its amounts and is never silent, for an absent amount is not zero. What was settled is not here, for
--        settlement_delta tells each of its gaps apart.
with
keyed as (
  select g.*
  from entry_group g
  anti join (select match_id from application_row where ours_row is not null and kind <> 'sum') a on a.match_id = g.group_no
),
total as (
  select
    group_no,
    min(currency) as currency,
    min(entry_no) filter (side = 'ours') as ours_row,
    min(entry_no) filter (side = 'theirs') as theirs_row,
    min(day) as day,
    coalesce(sum(amount_micros) filter (side = 'ours'), 0)::hugeint as expected_micros,
    coalesce(sum(amount_micros) filter (side = 'theirs'), 0)::hugeint as reported_micros,
    coalesce(sum(fee_micros) filter (side = 'theirs'), 0)::hugeint
      - coalesce(sum(fee_micros) filter (side = 'ours'), 0) as fee_change,
    count(amount_micros) between 1 and count(*) - 1 as has_gap_in_amounts
  from (
    select g.group_no, g.side, g.entry_no, coalesce(e.currency, '') as currency, e.day, e.amount_micros, e.fee_micros
    from keyed g
    join open_expected e on e.entry_no = g.entry_no
    where g.side = 'ours'
    union all
    select g.group_no, g.side, g.entry_no, coalesce(e.currency, ''), e.day, e.amount_micros, e.fee_micros
    from keyed g
    join open_reported e on e.entry_no = g.entry_no
    where g.side = 'theirs'
  )
  group by group_no
)
select
  group_no, currency, ours_row, theirs_row, day,
  expected_micros,
  reported_micros,
  if(abs(expected_micros - reported_micros - fee_change) < abs(expected_micros - reported_micros), fee_change, 0)
    as fee_micros,
  expected_micros - reported_micros as amount_micros,
  abs(expected_micros - reported_micros)
    > greatest(tolerance_micros::hugeint, abs(expected_micros) * tolerance_ppm // 1000000) as is_delta,
  has_gap_in_amounts
from total, run
