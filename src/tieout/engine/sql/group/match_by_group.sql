-- step:  match_by_group
-- in:    open_expected, open_reported, run
-- out:   entry_group(group_no, side, entry_no)
-- grain: one row per (side, entry_no)
-- empty: when closer_expected or closer_reported
-- types: bigint, varchar, bigint
-- why:   a payout and the parts it holds share a group reference; all rows of both sides behind it form one
--        group, whatever their number. Before that, rows that share a reference and are still open on both sides were
--        left by leftover_reference because they tie only in sum: they are a group too, with or without a group
--        reference in the plan. A group is of one currency and is numbered by its smallest row of ours.
with
parted as (
  select ref, coalesce(currency, '') as currency from open_expected where ref is not null
  intersect
  select ref, coalesce(currency, '') from open_reported where ref is not null
),
member as (
  select
    'ours' as side, e.entry_no, coalesce(e.currency, '') as currency, p.ref is not null as is_parted,
    if(is_parted, e.ref::varchar, if(has_group, e.group_ref, null)) as group_key
  from open_expected e
  left join parted p on p.ref = e.ref and p.currency = coalesce(e.currency, '')
  cross join run
  union all
  select
    'theirs', e.entry_no, coalesce(e.currency, ''), p.ref is not null as is_parted,
    if(is_parted, e.ref::varchar, if(has_group, e.group_ref, null))
  from open_reported e
  left join parted p on p.ref = e.ref and p.currency = coalesce(e.currency, '')
  cross join run
),
shared as (
  select is_parted, group_key, currency, min(entry_no) filter (side = 'ours') as group_no
  from member
  where group_key is not null
  group by is_parted, group_key, currency
  having count(*) filter (side = 'ours') > 0 and count(*) filter (side = 'theirs') > 0
)
select s.group_no, m.side, m.entry_no
from member m
join shared s using (is_parted, group_key, currency)
