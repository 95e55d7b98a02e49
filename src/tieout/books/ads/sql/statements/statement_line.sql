-- step:  statement_line
-- in:    read_cell, received_file, load
-- out:   statement_line(event_date, app_id, ad_unit_id, country, format, currency, impressions, clicks, paid_micros,
--        ivt_micros, viewable_ppm, request_id, report_id, network, schema_ver, load_id, statement_id, artifact_id, row_no)
-- grain: one row per (artifact_id, row_no)
-- form:  fact
-- why:   what the network says that it paid, typed; statement_id is the digest of what names a line across loads, so that
--        the same line of a restated report has the same id
select
  c.event_date,
  c.app_id,
  c.ad_unit_id,
  c.country,
  c.format,
  c.currency,
  c.impressions,
  c.clicks,
  c.paid_micros,
  c.ivt_micros,
  c.viewable_ppm,
  c.request_id,
  l.report_id,
  l.network,
  l.schema_ver,
  l.load_id,
  sha256(
    concat_ws(
      '|', c.event_date::varchar, c.app_id, c.ad_unit_id, c.country, c.format, c.currency, l.report_id, l.network
    )
  ) as statement_id,
  f.artifact_id,
  c.row_no
from read_cell c
join received_file f using (file_no)
cross join load l
where len(c.refusals) = 0
order by c.file_no, c.row_no
