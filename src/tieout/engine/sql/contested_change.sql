-- step:  contested_change
-- in:    near_change, near_pair, lone_row, ungrouped_expected, ungrouped_reported, run
-- out:   contested_change(change_no, is_contested)
-- grain: one row per (change_no)
-- why:   whether the match is certain after a change: with fixed weights it is where no other row of either side that had no
--        reference, matched or not, would then be as good a partner of one of the two, and where the pair shares its amount
--        with so few that it is sure to be compared. For a lower threshold the order of the candidates tells it.
--        Up to a million pairs are looked at; beyond, with learned weights, or where payments are settled, it is left open
with
asked as (
  select c.*, is_first, is_alone
  from near_change c
  join near_pair using (side, entry_no, partner_no)
),
free as (
  select 'ours' as side, entry_no, ref::varchar as bound_ref, day, coalesce(currency, '') as currency, amount_micros,
    coalesce(text, '') as text, words, [unit_1, unit_2, unit_3, unit_4, unit_5, unit_6] as units
  from ungrouped_expected
  union all
  select 'theirs', entry_no, ref::varchar, day, coalesce(currency, ''), amount_micros, coalesce(text, ''), words,
    [unit_1, unit_2, unit_3, unit_4, unit_5, unit_6]
  from ungrouped_reported
),
changed as (
  select c.*
  from asked c
  cross join run
  where not is_learned and not has_settlement and kind <> 'review_threshold'
    and (select count(*) from asked) * (select count(*) from free) <= 1000000
),
shared as (
  select currency, abs(amount_micros) as magnitude,
    (count(*) filter (side = 'ours') + 1) * (count(*) filter (side = 'theirs') + 1) as pairs
  from free
  group by all
),
rival as (
  select c.change_no
  from changed c
  join free r on r.side <> c.side and r.entry_no <> c.partner_no and r.currency = c.currency
    and (c.bound_ref is null or r.bound_ref is null)
    and coalesce(abs(date_diff('day', c.day, r.day)) <= c.window_days, true)
    and could_meet(c.amount_micros, r.amount_micros, c.words, r.words)
  cross join run
  where weighted_score(
    1 / (1 + abs(date_diff('day', c.day, r.day)) / lag_half_days),
    if(c.side = 'ours', amount_likeness(c.amount_micros, r.amount_micros), amount_likeness(r.amount_micros, c.amount_micros)),
    unit_likeness(c.units, r.units),
    if(c.side = 'ours', text_likeness(c.text, r.text, c.words, r.words), text_likeness(r.text, c.text, r.words, c.words)),
    weight_time, weight_amount, weight_unit, weight_text
  ) >= c.score
  union all
  select c.change_no
  from changed c
  join lone_row p on p.side <> c.side and p.entry_no = c.partner_no
  join free r on r.side = c.side and r.entry_no <> c.entry_no and r.currency = p.currency
    and (p.bound_ref is null or r.bound_ref is null)
    and coalesce(abs(date_diff('day', p.day, r.day)) <= c.window_days, true)
    and could_meet(p.amount_micros, r.amount_micros, p.words, r.words)
  cross join run
  where weighted_score(
    1 / (1 + abs(date_diff('day', p.day, r.day)) / lag_half_days),
    if(p.side = 'ours', amount_likeness(p.amount_micros, r.amount_micros), amount_likeness(r.amount_micros, p.amount_micros)),
    unit_likeness(p.units, r.units),
    if(p.side = 'ours', text_likeness(p.text, r.text, p.words, r.words), text_likeness(r.text, p.text, r.words, p.words)),
    weight_time, weight_amount, weight_unit, weight_text
  ) >= c.score
)
select
  a.change_no,
  case
    when kind = 'review_threshold' then not if(is_learned, is_alone, is_first)
    when a.change_no not in (select change_no from changed) then true
    else a.change_no in (from rival) or a.amount_micros is null or coalesce(s.pairs, 0) > 200
  end as is_contested
from asked a
left join shared s on s.currency = a.currency and s.magnitude = abs(a.amount_micros)
cross join run
