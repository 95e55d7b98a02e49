-- step:  evidence_evidence
-- in:    sealed, part, claim
-- out:   evidence(place, kind, key)
-- grain: one row per (place)
-- why:   what the parts of a delta, or a match, are made of: the matches of their units, the lines that were matched, the
--        requests; of a figure the deltas of its window and the totals of both sides
with
matched as (
  select place, kind, key, record
  from sealed
  where kind = 'match' and (
    record->>'$.content.unit_id' in (select unit_id from part) or place in (select place from part)
  )
),
line as (
  select s.place, s.kind, s.key
  from sealed s
  join (
    select distinct
      record->>'$.content.network' as network, record->>'$.content.load_id' as load_id,
      record->>'$.content.artifact_id' as artifact_id, record->>'$.content.row_no' as row_no
    from matched
  ) m
    on s.record->>'$.content.network' = m.network and s.record->>'$.content.load_id' = m.load_id
    and s.record->>'$.content.artifact_id' = m.artifact_id and s.record->>'$.content.row_no' = m.row_no
  where s.kind = 'reported'
),
lone_line as (
  select place, kind, key
  from sealed
  where kind = 'reported' and concat_ws(
    '|', 'line:' || replace(replace(record->>'$.content.network', '%', '%25'), '|', '%7C'),
    replace(replace(record->>'$.content.load_id', '%', '%25'), '|', '%7C'),
    (record->>'$.content.artifact_id')[1:12], record->>'$.content.row_no'
  ) in (select unit_id from part)
),
request as (
  select place, kind, key
  from sealed
  where kind = 'expected' and (
    'request:' || key in (select unit_id from part)
    or concat_ws(
      '|', record->>'$.day', replace(replace(coalesce(record->>'$.content.network', ''), '%', '%25'), '|', '%7C'),
      replace(replace(coalesce(record->>'$.content.app_id', ''), '%', '%25'), '|', '%7C'),
      replace(replace(coalesce(record->>'$.content.ad_unit_id', ''), '%', '%25'), '|', '%7C'),
      replace(replace(coalesce(upper(record->>'$.content.country'), ''), '%', '%25'), '|', '%7C'),
      replace(replace(coalesce(lower(record->>'$.content.format'), ''), '%', '%25'), '|', '%7C')
    ) in (select regexp_replace(unit_id, '^(cell|unpaid):', '') from part)
    or key in (select record->>'$.content.request_id' from matched)
  )
),
figure as (
  select s.place, s.kind, s.key
  from sealed s, claim c
  where c.kind = 'kpi' and case s.kind
    when 'sum' then s.record->>'$.content.side' in ('expected', 'reported')
    when 'delta' then
      s.record->>'$.content.window' = c.record->>'$.content.window'
      and s.record->>'$.content.currency' = c.record->>'$.content.currency'
    else false
  end
)
select place, kind, key from matched
union
select place, kind, key from line
union
select place, kind, key from lone_line
union
select place, kind, key from request
union
select place, kind, key from figure
