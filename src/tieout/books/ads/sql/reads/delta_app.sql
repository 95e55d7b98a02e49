insert into delta_app
select
  number, kind, a.amount_micros, currency, reason_code, window_start_us, window_end_us, evidence_id, confidence, app_id
from read_parquet($paths, filename = true) a
join (select unnest($paths) as filename, unnest($numbers) as number) using (filename)
join delta using (number, evidence_id)
