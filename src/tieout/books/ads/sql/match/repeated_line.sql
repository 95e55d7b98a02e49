-- step:  repeated_line
-- in:    line
-- out:   repeated_line(line_no)
-- grain: one row per (line_no)
-- why:   a line that says again, figure for figure, what another said is paid once: the first counts. Lines of a single
--        impression without a request id may well be alike, and each counts
with
said as (
  select
    line_no,
    hash(
      network, event_date, app_id, ad_unit_id, country, format, paid_currency, impressions, clicks, paid_micros,
      ivt_paid_micros, viewable_ppm, request_id
    ) as content
  from line
  where request_id is not null or impressions > 1
)
select line_no
from line
where line_no in (select line_no from said where content in (select content from said group by content having count(*) > 1))
qualify
  row_number() over (
    partition by
      network, event_date, app_id, ad_unit_id, country, format, paid_currency, impressions, clicks, paid_micros,
      ivt_paid_micros, viewable_ppm, request_id
    order by line_no
  ) > 1
