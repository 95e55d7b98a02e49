insert into line_cell
select
  number, event_date, lower(network), coalesce(lower(format), ''), coalesce(upper(country), ''), coalesce(app_id, ''),
  upper(currency), cast(sum(impressions) as bigint), cast(sum(paid_micros) as bigint)
from read_parquet($paths, filename = true)
join (select unnest($paths) as filename, unnest($numbers) as number) using (filename)
group by all
