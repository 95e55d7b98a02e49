insert into delta
select
  number, kind, amount_micros, currency, reason_code, window_start_us, window_end_us, evidence_id,
  confidence::decimal(9, 6)
from read_parquet($paths, filename = true)
join (select unnest($paths) as filename, unnest($numbers) as number) using (filename)
order by window_start_us, evidence_id
