-- step:  lone_delta
-- in:    lone_expected, lone_reported, open_expected, open_reported, application_row, reversed_row
-- out:   lone_delta(kind, amount_micros, currency, ours_row, theirs_row, reason_code, day, ours_amount_micros, theirs_amount_micros)
-- empty: when lone_expected and lone_reported
-- types: varchar, bigint, varchar, bigint, bigint, varchar, date, bigint, bigint
-- why:   a row without a partner is a delta of its whole amount: ours adds, theirs takes away. An amount that is not
--        there stays null: it is not zero
select
  l.reason_code as kind, e.amount_micros, coalesce(e.currency, '') as currency, l.entry_no as ours_row,
  null::bigint as theirs_row,
  case
    when e.amount_micros is null then 'amount_absent'
    when l.entry_no in (select entry_no from reversed_row where side = 'ours') then 'reversed'
    when l.reason_code = 'timing_lag' then 'within_window_of_end'
    when l.reason_code = 'duplicate' then 'copy_on_our_side'
    else 'not_reported'
  end as reason_code,
  e.day, e.amount_micros as ours_amount_micros, null::bigint as theirs_amount_micros
from lone_expected l
join open_expected e using (entry_no)
union all
select
  l.reason_code, -e.amount_micros, coalesce(e.currency, ''), null, l.entry_no,
  case
    when e.amount_micros is null then 'amount_absent'
    when l.entry_no in (select entry_no from reversed_row where side = 'theirs') then 'reversed'
    when l.reason_code = 'timing_lag' then 'within_window_of_start'
    when l.entry_no in (select theirs_row from application_row where kind = 'duplicate') then 'duplicate_payment'
    when l.reason_code = 'duplicate' then 'copy_on_their_side'
    else 'not_expected'
  end,
  e.day, null, e.amount_micros
from lone_reported l
join open_reported e using (entry_no)
