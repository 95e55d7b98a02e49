select
  network, format, country, currency, impressions, paid_micros, paid_micros as expected_micros, 0 as expected_rows,
  0 as covered_rows, 0 as explained_micros
from line_cell
where
  number in (select unnest($loads)) and event_date >= $first and event_date < $end
  and event_date not in (select event_date from day) /* app */
