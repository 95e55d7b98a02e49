-- step:  copied_reported
-- in:    open_reported, alike_open, ungrouped_reported, scored_match, repeated_reference, application_row, reported
-- out:   copied_reported(entry_no)
-- grain: one row per (entry_no)
-- empty: when alike_open and repeated_reference
-- types: bigint
-- why:   unmatched rows of theirs that are copies: another row of theirs has the same reference and amount and was matched or
--        comes first, or without a reference the same day, amount and text as one that was matched (of copies that all
--        stand alone the first by day and content is none). Where references stand once there is nothing to look at
with
lone as (
  select o.entry_no, o.ref, o.currency, o.amount_micros, o.day, o.text
  from open_reported o
  semi join ungrouped_reported u using (entry_no)
  anti join scored_match m on m.theirs_row = o.entry_no
  anti join (select theirs_row from application_row where ours_row is not null) a on a.theirs_row = o.entry_no
  where alike_said(o.ref, o.currency, o.amount_micros, o.day, o.text) in (select said from alike_open where side = 'theirs')
    or o.ref in (select ref from repeated_reference)
),
likely as (
  select entry_no, ref, currency, amount_micros, null::date as day, '' as text, true as is_open
  from lone
  where ref is not null
  union all
  select e.entry_no, e.ref, e.currency, e.amount_micros, null, '', false
  from open_reported e
  semi join (select ref from lone) x using (ref)
  anti join lone l on l.entry_no = e.entry_no
  union all
  select e.entry_no, e.ref, e.currency, e.amount_micros, null, '', false
  from reported e
  semi join (select ref from lone semi join repeated_reference using (ref)) x using (ref)
  anti join open_reported l on l.entry_no = e.entry_no
  union all
  select e.entry_no, null, e.currency, e.amount_micros, e.day, e.text, l.entry_no is not null
  from open_reported e
  semi join (select * from lone where ref is null and text <> '') x
    on x.text = e.text and x.amount_micros = e.amount_micros and x.day = e.day
  left join lone l on l.entry_no = e.entry_no
  where e.ref is null
),
twin as (
  select ref, currency, amount_micros, day, text
  from likely
  group by all
  having count(*) > 1
)
select l.entry_no
from likely l
semi join twin t
  on t.ref is not distinct from l.ref and t.currency = l.currency
    and t.amount_micros is not distinct from l.amount_micros and t.day is not distinct from l.day and t.text = l.text
left join open_reported o on o.entry_no = l.entry_no and l.is_open
qualify
  l.is_open
  and row_number() over (
    partition by l.ref, l.currency, l.amount_micros, l.day, l.text order by l.is_open, o.day, o.source, l.entry_no
  ) > 1
  and (
    l.ref is not null
    or bool_or(not l.is_open) over (partition by l.ref, l.currency, l.amount_micros, l.day, l.text)
  )
