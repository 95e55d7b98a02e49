with
load as (
  select number, run_id, path, first_day, end_day
  from followed
  where leg = $leg and has_files and first_day < $end and end_day > $first
),
reach as (select greatest(min(first_day), $first) as first_day, least(max(end_day), $end) as end_day from load),
open_day as (
  select event_date
  from (select unnest(generate_series(first_day, end_day - 1, interval 1 day))::date as event_date from reach)
  where event_date not in (select event_date from day)
)
select number, run_id, path, number in (select number from line_load)
from load
where exists (select 1 from open_day where event_date >= first_day and event_date < end_day)
order by number
