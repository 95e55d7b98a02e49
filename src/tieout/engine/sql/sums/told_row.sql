-- step:  told_row
-- in:    sent_twice, loose_row, loose_word, scored_choice, sum_row, open_expected, open_reported
-- out:   told_row(side, entry_no, reason_code)
-- grain: one row per (side, entry_no)
-- why:   what a row without a partner is, where a row of its own side tells: the second of a payment sent twice, or a
--        booking and its reversal, which differ in sign alone, name the same party and are at most 31 days apart, each the
--        nearest to the other. Of two that differ in how they are written alone the first in the alphabet is
with
twice as (
  select
    if(is_ours, 'ours', 'theirs') as side,
    case when not is_first then copy_row when is_ours then ours_row else theirs_row end as entry_no
  from sent_twice
),
lone as (
  select r.*
  from loose_row r
  anti join (
    select 'ours' as side, ours_row as entry_no from scored_choice
    union all
    select 'theirs', theirs_row from scored_choice
    union all
    select 'ours', ours_row from sum_row
    union all
    select 'theirs', theirs_row from sum_row
    union all
    from twice
  ) u using (side, entry_no)
),
quiet as (
  select side, currency, abs(amount_micros) as magnitude
  from lone
  group by all
  having count(*) filter (amount_micros > 0) * count(*) filter (amount_micros < 0) between 1 and 400
),
opposite as (
  select p.side, p.entry_no as plus_row, m.entry_no as minus_row, p.content as plus_content, m.content as minus_content,
    abs(date_diff('day', p.day, m.day)) as apart_days, p.text, m.text as minus_text
  from (
    select l.*
    from lone l
    semi join quiet q on q.side = l.side and q.currency = l.currency and q.magnitude = l.amount_micros
  ) p
  join (from lone where amount_micros < 0) m
    on m.side = p.side and m.currency = p.currency and m.amount_micros = -p.amount_micros
  where coalesce(apart_days <= 31, p.day is null and m.day is null)
),
plus_word as materialized (
  select o.side, o.plus_row, o.minus_row, w.word, w.rarity
  from opposite o
  join loose_word w on w.side = o.side and w.entry_no = o.plus_row
),
shared as (
  select p.side, p.plus_row, p.minus_row, round(sum(p.rarity), 4) as rarity
  from plus_word p
  join loose_word m on m.side = p.side and m.entry_no = p.minus_row and m.word = p.word
  group by all
),
written as (
  select 'ours' as side, entry_no, text as wording from open_expected
  union all
  select 'theirs', entry_no, text from open_reported
),
ranked as (
  select
    o.side, o.plus_row, o.minus_row,
    row_number() over (
      partition by o.side, o.plus_row order by apart_days, s.rarity desc, minus_content, m.wording, o.minus_row
    ) as nth_minus,
    row_number() over (
      partition by o.side, o.minus_row order by apart_days, s.rarity desc, plus_content, p.wording, o.plus_row
    ) as nth_plus
  from opposite o
  left join shared s using (side, plus_row, minus_row)
  join written p on p.side = o.side and p.entry_no = o.plus_row
  join written m on m.side = o.side and m.entry_no = o.minus_row
  where coalesce(s.rarity, 0) >= 4 or (text <> '' and jaro_winkler_similarity(text, minus_text) >= 0.85)
)
select distinct side, entry_no, 'duplicate' as reason_code
from twice
union all
select side, unnest([plus_row, minus_row]), 'reversed'
from ranked
where nth_plus = 1 and nth_minus = 1
