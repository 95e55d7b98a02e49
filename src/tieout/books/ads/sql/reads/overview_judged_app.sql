select
  network, format, country, currency, impressions, paid_micros, expected_micros, expected_rows, covered_rows,
  explained_micros
from read_parquet($paths, filename = true) c
join (select unnest($paths) as filename, unnest($numbers) as number) using (filename)
join day using (event_date, number)
where event_date >= $first and event_date < $end and app_id = $app
