-- step:  near_same_reference
-- in:    lone_row, repeated_reference, equal_reference_pair, reference_join, expected, reported, run
-- out:   near_same_reference(side, entry_no, kind, from_value, to_value, size, partner_no, rival_no, is_certain, gap_micros, lag_days)
-- grain: one row per (side, entry_no, kind)
-- why:   where a row and one of the other side say the same reference and yet it is left over, either their sums behind that
--        reference tie with a larger tolerance (all of them are then one group), or each of them is taken: one of
--        equal amount, else the first by content, by whom, and how far that one is from it
with
lone_ref as (select distinct own_ref from lone_row where own_ref is not null),
ref as (
  select ref from repeated_reference where ref::varchar in (from lone_ref)
),
one as (
  select 'ours' as side, e.entry_no, e.ref::varchar as own_ref, coalesce(e.currency, '') as currency, e.amount_micros,
    e.day, row_number() over (order by e.source, e.entry_no) as place
  from expected e
  semi join ref using (ref)
  union all
  select 'theirs', e.entry_no, e.ref::varchar, coalesce(e.currency, ''), e.amount_micros, e.day,
    row_number() over (order by e.source, e.entry_no)
  from reported e
  semi join ref using (ref)
),
part as (
  from one
  anti join (select 'ours' as side, ours_row as entry_no from equal_reference_pair) o using (side, entry_no)
  anti join (select 'theirs' as side, theirs_row as entry_no from equal_reference_pair) t using (side, entry_no)
),
total as (
  select
    own_ref, currency, coalesce(sum(amount_micros) filter (side = 'ours'), 0) as ours_micros,
    coalesce(sum(amount_micros) filter (side = 'theirs'), 0) as theirs_micros,
    abs(ours_micros - theirs_micros) as gap_micros,
    list(entry_no order by place) filter (side = 'ours') as ours, list(entry_no order by place) filter (side = 'theirs')
      as theirs
  from part
  group by all
  having count(*) filter (side = 'ours') > 0 and count(*) filter (side = 'theirs') > 0
    and count(*) filter (side = 'ours') <> count(*) filter (side = 'theirs') and count(amount_micros) = count(*)
),
first_of as (
  select own_ref, side, currency, amount_micros, min(place) as place from one group by grouping sets (
    (own_ref, side, currency, amount_micros), (own_ref, side)
  )
),
met as (
  select s.side, s.entry_no, p.place
  from lone_row s
  join first_of p
    on p.side <> s.side and p.own_ref = s.own_ref and p.currency = s.currency and p.amount_micros = s.amount_micros
  where s.is_subject
  union all
  select s.side, s.entry_no, p.place
  from lone_row s
  join first_of p on p.side <> s.side and p.own_ref = s.own_ref and p.currency is null
  where s.is_subject
),
joined as (
  select 'ours' as side, theirs_row as partner_no, ours_row as rival_no
  from reference_join
  semi join (from one where side = 'theirs') p on p.entry_no = theirs_row
  where ours_row is not null
  union all
  select 'theirs', ours_row, theirs_row
  from reference_join
  semi join (from one where side = 'ours') p on p.entry_no = ours_row
  where theirs_row is not null
),
taken as (
  select
    s.side, s.entry_no, p.entry_no as partner_no,
    j.rival_no, x.amount_micros as rival_micros,
    p.amount_micros as partner_micros,
    abs(s.amount_micros::hugeint - p.amount_micros) as gap_micros, abs(date_diff('day', s.day, p.day)) as lag_days
  from met m
  join lone_row s on s.side = m.side and s.entry_no = m.entry_no
  join one p on p.side <> m.side and p.place = m.place
  join joined j on j.side <> p.side and j.partner_no = p.entry_no
  join one x on x.side = j.side and x.entry_no = j.rival_no
  qualify row_number() over (partition by s.side, s.entry_no order by gap_micros nulls last, p.place) = 1
)
select
  s.side, s.entry_no, 'tolerance' as kind, plain_number(tolerance_micros::decimal(19, 0) * 0.000001::decimal(7, 6)) as from_value,
  plain_number(t.gap_micros::decimal(38, 0) * 0.000001::decimal(7, 6)) as to_value, t.gap_micros - tolerance_micros as size,
  if(s.side = 'ours', t.theirs[1], t.ours[1]) as partner_no, null::bigint as rival_no, true as is_certain,
  t.gap_micros, null::bigint as lag_days
from lone_row s
join total t on t.own_ref = s.own_ref and t.currency = s.currency
  and list_contains(if(s.side = 'ours', t.ours, t.theirs), s.entry_no)
cross join run
where s.is_subject and t.gap_micros > tolerance_micros
  and t.gap_micros * 2 <= greatest(abs(t.ours_micros), abs(t.theirs_micros))
union all
select
  side, entry_no, 'taken_reference',
  coalesce(plain_number(gap_micros::decimal(38, 0) * 0.000001::decimal(7, 6)), ''),
  coalesce(
    plain_number(abs(rival_micros::hugeint - partner_micros)::decimal(38, 0) * 0.000001::decimal(7, 6)), ''
  ),
  gap_micros, partner_no, rival_no, false, gap_micros, lag_days
from taken
