-- step:  line_end
-- in:    line, repeated_line, surplus_line, request_line, open_line, sum_cell, request_choice, cell_choice, left_line, ruling
-- out:   line_end(line_no, unit_id, pass, outcome, reason_code, score_e9, reasons)
-- grain: one row per (line_no)
-- why:   each line ends in exactly one place: with a request, in a sum, in review, as a duplicate or alone
with
ended as (
  select line_no, 'exact' as pass, 'auto' as outcome, 'request:' || request_id as unit_id, '' as reason_code,
    1000000000 as score_e9, '' as reasons
  from request_line where place = 1
  union all
  select line_no, '', 'duplicate', null, 'request_already_matched', null, ''
  from request_line where place > 1
  union all
  select line_no, '', 'duplicate', null, 'line_repeated', null, '' from (from repeated_line union all from surplus_line)
  union all
  select
    line_no, 'sum', 'auto', 'cell:' || cell_name(event_date, network, app_id, ad_unit_id, country, format),
    '', 1000000000, ''
  from open_line
  join sum_cell using (event_date, network, app_id, ad_unit_id, country, format)
  where request_id is null
  union all
  select
    reported_no, if(u.ruling = 'accepted', 'reviewed', 'scored'), outcome, 'request:' || c.name, '', score_e9, reasons
  from request_choice c
  left join ruling u on u.item_no = reported_no and u.name = c.name
  union all
  select
    line_no, if(u.ruling = 'accepted', 'reviewed', 'scored'), outcome, 'cell:' || c.name, '', score_e9, reasons
  from left_line l
  join cell_choice c on c.reported_no = l.item_no
  left join ruling u on u.item_no = c.reported_no and u.name = c.name
)
select
  line_no, coalesce(unit_id, line_name(network, load_id, artifact_id, row_no)) as unit_id, coalesce(pass, '') as pass,
  coalesce(outcome, 'unmatched') as outcome,
  coalesce(reason_code, if(currency = 'USD', 'unexpected', 'no_rate')) as reason_code, score_e9,
  coalesce(reasons, '') as reasons
from line
left join ended using (line_no)
