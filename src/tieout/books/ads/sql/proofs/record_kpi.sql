-- step:  record_kpi
-- in:    balance
-- out:   record_kpi(kind, key, content, sum_side, sum_party, currency, amount_micros)
-- grain: one row per (kind, key)
-- form:  view
-- why:   the figures of each window that begins on the day: what was expected, reported, judged and forgiven, by currency
select
  'kpi' as kind, json_array('balance', delta_window, balance.currency)::varchar as key,
  json_object(
    'currency', balance.currency, 'delta_micros', delta_micros::varchar, 'expected_micros', expected_micros::varchar,
    'name', 'balance', 'reported_micros', reported_micros::varchar, 'review_micros', review_micros::varchar,
    'tolerated_micros', tolerated_micros::varchar, 'window', delta_window
  ) as content,
  null::varchar as sum_side, null::varchar as sum_party, null::varchar as currency, null::bigint as amount_micros
from balance
