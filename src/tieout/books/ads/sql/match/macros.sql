-- The name of a sum: its keys in order. What divides them is written otherwise inside a key, so that no two sums share a
-- name.
create or replace macro cell_key(key) as replace(replace(key, '%', '%25'), '|', '%7C');
create or replace macro cell_name(event_date, network, app_id, ad_unit_id, country, format) as
  concat_ws(
    '|', event_date::varchar, cell_key(network), cell_key(app_id), cell_key(ad_unit_id), cell_key(country),
    cell_key(format)
  );
-- The name of a line that stands alone: where it came from.
create or replace macro line_name(network, load_id, artifact_id, row_no) as
  concat_ws('|', 'line:' || cell_key(network), cell_key(load_id), artifact_id[1:12], row_no::varchar);
