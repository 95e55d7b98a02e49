select
  network, format, country, currency, impressions, paid_micros, expected_micros, expected_rows, covered_rows,
  explained_micros
from current_cell
join day using (event_date, number)
where event_date >= $first and event_date < $end
