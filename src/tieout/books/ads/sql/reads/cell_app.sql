insert into cell_app
select
  number, event_date, network, format, country, currency, impressions, paid_micros, expected_micros, expected_rows,
  covered_rows, explained_micros, app_id
from read_parquet($paths, filename = true)
join (select unnest($paths) as filename, unnest($numbers) as number) using (filename)
