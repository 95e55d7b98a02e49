create table delta (
  number bigint, kind varchar, amount_micros bigint, currency varchar, reason_code varchar, window_start_us bigint,
  window_end_us bigint, evidence_id varchar, confidence decimal(9, 6)
);
create table delta_app as select *, ''::varchar as app_id from delta where false;
create table cell (
  number bigint, event_date date, network varchar, format varchar, country varchar, currency varchar,
  impressions bigint, paid_micros bigint, expected_micros bigint, expected_rows bigint, covered_rows bigint,
  explained_micros bigint
);
create table cell_app as select *, ''::varchar as app_id from cell where false;
create table line_cell (
  number bigint, event_date date, network varchar, format varchar, country varchar, app_id varchar, currency varchar,
  impressions bigint, paid_micros bigint
);
create table line_load (number bigint);
create table day (event_date date, number bigint);
create table followed (
  number bigint, leg varchar, name varchar, run_id varchar, has_files boolean, path varchar, first_day date,
  end_day date, start_us bigint, end_us bigint
)
