-- step:  why_not
-- in:    lone_row, change_of_row, run
-- out:   why_not(side, row_no, kind, from_value, to_value, size, partner_row, rival_row, certainty, searched, amount_micros, currency, day)
-- grain: one row per (side, row_no)
-- form:  fact
-- why:   for each unmatched row of weight the smallest change that would match it, and with which row. A change that is certain
--        comes before one that another row may profit by; then the place of its kind in the closed list decides, then its
--        size (days, micros, characters, millionths), the nearer amount and day, and last the content of the partner.
--        Where each partner in reach is taken the rival is who has it; the values are how far this row and the rival are
--        from it in money (by reference), or their scores. For `nothing_near` it says among how many rows was searched
with
smallest as (
  select c.*
  from change_of_row c
  left join lone_row p on p.side <> c.side and p.entry_no = c.partner_no
  qualify row_number() over (
    partition by c.side, c.entry_no
    order by c.is_certain desc, change_rank(c.kind), c.size nulls last, c.gap_micros nulls last, c.lag_days nulls last, p.place nulls last,
      c.partner_no
  ) = 1
),
other as (select if(side = 'ours', 'theirs', 'ours') as side, count(*) as row_count from lone_row group by side)
select
  l.side, l.row_no, coalesce(s.kind, 'nothing_near') as kind, coalesce(s.from_value, '') as from_value,
  coalesce(s.to_value, '') as to_value, try_cast(s.size as bigint) as size,
  s.partner_no + if(l.side = 'ours', theirs_offset, ours_offset) as partner_row,
  s.rival_no + if(l.side = 'ours', ours_offset, theirs_offset) as rival_row,
  case when s.kind is null or s.kind in ('taken', 'taken_reference') then '' when s.is_certain then 'certain' else 'likely' end as certainty,
  if(
    s.kind is null,
    coalesce(o.row_count, 0) || ' unmatched rows of ' || if(l.side = 'ours', 'theirs', 'ours')
      || ' (same reference in another form, equal amount, same digits, same text, or scored too low)',
    ''
  ) as searched,
  l.amount_micros, l.currency, l.day
from lone_row l
left join smallest s using (side, entry_no)
left join other o on o.side = l.side
cross join run
where l.is_subject
order by l.side, l.row_no
