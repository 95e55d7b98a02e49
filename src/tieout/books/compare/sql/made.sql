-- step:  made
-- in:    duckdb_tables, duckdb_views
-- out:   made(form, name)
-- grain: one row per (name)
-- why:   the inference works on tables of its own, named infer_…, and leaves none behind on the caller's connection
select 'view' as form, view_name as name from duckdb_views() where temporary and starts_with(view_name, 'infer_')
union all
select 'table', table_name from duckdb_tables() where temporary and starts_with(table_name, 'infer_')
