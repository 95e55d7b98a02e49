-- step:  lone_reported
-- in:    open_reported, ungrouped_reported, scored_match, repeated_reference, application_row, told_row, reported, expected, run
-- out:   lone_reported(entry_no, reason_code)
-- grain: one row per (entry_no)
-- why:   rows of theirs that no pass matched, and what they are: a duplicate when another row of theirs has the same
--        reference and amount and was matched or comes first, or without a reference the same day, amount and text
--        as one that was matched (of copies that all stand alone the first by day and content is none), or as a payment
--        repeats one that was applied; timing when the row lies within the window of the start of what our side covers;
--        else unexpected
with
lone as (
  select o.entry_no, o.ref, o.currency, o.amount_micros, o.day, o.text
  from open_reported o
  semi join ungrouped_reported u using (entry_no)
  anti join scored_match m on m.theirs_row = o.entry_no
  anti join (select theirs_row from application_row where ours_row is not null) a on a.theirs_row = o.entry_no
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
),
copy as (
  select
    l.entry_no,
    row_number() over (
      partition by l.ref, l.currency, l.amount_micros, l.day, l.text order by l.is_open, o.day, o.source, l.entry_no
    ) as nth,
    bool_or(not l.is_open) over (partition by l.ref, l.currency, l.amount_micros, l.day, l.text) as has_match
  from likely l
  semi join twin t
    on t.ref is not distinct from l.ref and t.currency = l.currency
      and t.amount_micros is not distinct from l.amount_micros and t.day is not distinct from l.day and t.text = l.text
  left join open_reported o on o.entry_no = l.entry_no and l.is_open
),
edge as (select min(day) as first_day from expected)
select
  e.entry_no,
  case
    when c.nth > 1 and (e.ref is not null or c.has_match) then 'duplicate'
    when e.entry_no in (select entry_no from told_row where side = 'theirs' and reason_code = 'duplicate') then 'duplicate'
    when e.entry_no in (select theirs_row from application_row where kind = 'duplicate') then 'duplicate'
    when window_days > 0 and date_diff('day', first_day, e.day) between -window_days and window_days - 1
      then 'timing_lag'
    else 'unexpected'
  end as reason_code
from lone e
left join copy c on c.entry_no = e.entry_no
cross join edge
cross join run
