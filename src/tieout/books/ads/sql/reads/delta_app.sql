insert into delta_app
select number, evidence_id, app_id, amount_micros
from read_parquet($paths, filename = true)
join (select unnest($paths) as filename, unnest($numbers) as number) using (filename)
