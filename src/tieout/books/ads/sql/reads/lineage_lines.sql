select unit_id, load_id, artifact_id, row_no, event_date, paid_micros, currency as paid_currency
from read_parquet($lines, union_by_name = true)
where lower(network) = $network
