select
  number, unit_id, arg_min(network, place) as network, arg_min(load_id, place) as load_id,
  arg_min(artifact_id, place) as artifact_id, arg_min(row_no, place) as row_no, count(*) as lines,
  min(event_date) as event_date, cast(sum(paid_micros) as bigint) as paid_micros, min(currency) as currency,
  max(score_e9) as score_e9, min(reasons) as reasons
from (
  select
    *, row_number() over (partition by number, unit_id order by network, load_id, artifact_id, row_no) as place
  from read_parquet($paths, filename = true)
  join (select unnest($paths) as filename, unnest($numbers) as number) using (filename)
)
group by number, unit_id
order by abs(sum(paid_micros)) desc, number, unit_id
