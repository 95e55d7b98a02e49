-- query: review_pair
-- in:    matched, considered, expected, reported, numbering, $limit
-- out:   ours_row, theirs_row, confidence, alternatives, money_micros, currency, then day, amount_micros, currency, ref and
--        text of each side (ours_, theirs_), others, total
-- grain: one row per (ours_row, theirs_row)
-- why:   the pairs that wait for a person, the largest money of each currency first, for money of two currencies cannot be
--        compared. Others are the likeliest candidates of either row beside the pair
with
waiting as (
  select
    m.ours_row, m.theirs_row, m.confidence, m.alternatives,
    greatest(abs(o.amount_micros), abs(t.amount_micros)) as money_micros,
    coalesce(nullif(o.currency, ''), t.currency, '') as currency,
    o.day as ours_day, o.amount_micros as ours_amount_micros, coalesce(o.currency, '') as ours_currency,
    o.ref::varchar as ours_ref, o.text as ours_text,
    t.day as theirs_day, t.amount_micros as theirs_amount_micros, coalesce(t.currency, '') as theirs_currency,
    t.ref::varchar as theirs_ref, t.text as theirs_text,
    count(*) over () as total
  from matched m
  cross join numbering
  join expected o on o.entry_no = m.ours_row - ours_offset
  join reported t on t.entry_no = m.theirs_row - theirs_offset
  where m.outcome = 'review' and m.pass = 'scored'
),
shown as (
  select *, row_number() over (partition by currency order by money_micros desc nulls last, ours_row) as place
  from waiting
  order by place, currency
  limit $limit
),
other as (
  select s.ours_row, c.ours_row as other_ours, c.theirs_row as other_theirs, c.score
  from shown s
  join considered c on (c.ours_row = s.ours_row) <> (c.theirs_row = s.theirs_row)
),
others_of as (
  select
    ours_row,
    list({ours_row: other_ours, theirs_row: other_theirs, chance: score} order by score desc, other_ours, other_theirs)[:3]
      as others
  from other
  group by ours_row
)
select s.* exclude (place), coalesce(o.others, []) as others
from shown s
left join others_of o using (ours_row)
order by place, currency
