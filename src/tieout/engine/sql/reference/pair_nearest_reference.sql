-- step:  pair_nearest_reference
-- in:    equal_reference_pair, leftover_reference
-- out:   repeated_pair(ours_row, theirs_row, differs)
-- grain: one row per (ours_row)
-- why:   the pairs of a repeated reference. To those of equal amounts come, within a currency, the nearest amounts
--        first (of equal gaps the one whose rows come first in the order of amount and content); then those without an
--        amount, then across currencies, both in that order. What finds no free partner stays open and is judged later
--        (duplicate or not). The two nearest rows of a reference are always neighbours in the order of amounts, and
--        each is the other's nearest, so that rounds over neighbours settle whole references at once.
with recursive
settled as (
  select ref, currency, side, entry_no, amount_micros, place, null::bigint as partner
  from leftover_reference
  where amount_micros is not null
  union all
  (
    with
    free as (select ref, currency, side, entry_no, amount_micros, place from settled where partner is null),
    neighbour as (
      select
        *,
        max(amount_micros) filter (side = 'ours') over below as ours_below,
        max(amount_micros) filter (side = 'theirs') over below as theirs_below,
        min(amount_micros) filter (side = 'ours') over above as ours_above,
        min(amount_micros) filter (side = 'theirs') over above as theirs_above
      from free
      window
        below as (
          partition by ref, currency order by amount_micros range between unbounded preceding and current row
        ),
        above as (
          partition by ref, currency order by amount_micros range between current row and unbounded following
        )
    ),
    nearest as (
      select
        *,
        if(side = 'ours', theirs_below, ours_below) as other_below,
        if(side = 'ours', theirs_above, ours_above) as other_above,
        if(
          other_above is null or amount_micros::hugeint - other_below <= other_above::hugeint - amount_micros,
          other_below, other_above
        ) as nearest_micros
      from neighbour
      where other_below is not null or other_above is not null
    ),
    first_of_amount as (
      select *
      from nearest
      qualify row_number() over (partition by ref, currency, side, amount_micros order by place) = 1
    ),
    pair as (
      select o.entry_no as ours_row, t.entry_no as theirs_row
      from first_of_amount o
      join first_of_amount t
        on o.ref = t.ref and o.currency = t.currency and o.nearest_micros = t.amount_micros
        and t.nearest_micros = o.amount_micros
      where o.side = 'ours' and t.side = 'theirs'
    )
    select
      n.ref, n.currency, n.side, n.entry_no, n.amount_micros, n.place, coalesce(o.theirs_row, t.ours_row) as partner
    from nearest n
    left join pair o on n.side = 'ours' and o.ours_row = n.entry_no
    left join pair t on n.side = 'theirs' and t.theirs_row = n.entry_no
  )
),
pair_4 as (
  select entry_no as ours_row, partner as theirs_row from settled where side = 'ours' and partner is not null
),
left_5 as (
  select *, row_number() over (partition by side, ref, currency order by place) as nth
  from leftover_reference
  where not (side = 'ours' and entry_no in (select ours_row from pair_4))
    and not (side = 'theirs' and entry_no in (select theirs_row from pair_4))
),
pair_5 as (
  select o.entry_no as ours_row, t.entry_no as theirs_row
  from left_5 o
  join left_5 t on o.ref = t.ref and o.currency = t.currency and o.nth = t.nth
  where o.side = 'ours' and t.side = 'theirs'
),
left_6 as (
  select * exclude (nth), row_number() over (partition by side, ref order by place) as nth
  from left_5
  where not (side = 'ours' and entry_no in (select ours_row from pair_5))
    and not (side = 'theirs' and entry_no in (select theirs_row from pair_5))
),
pair_6 as (
  select o.entry_no as ours_row, t.entry_no as theirs_row
  from left_6 o
  join left_6 t on o.ref = t.ref and o.nth = t.nth
  where o.side = 'ours' and t.side = 'theirs'
)
from equal_reference_pair
union all
select ours_row, theirs_row, true from pair_4
union all
select ours_row, theirs_row, true from pair_5
union all
select ours_row, theirs_row, true from pair_6
