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
free as not materialized (
  select 'ours' as side, entry_no, ref::varchar as bound_ref, day, coalesce(currency, '') as currency, amount_micros,
    coalesce(text, '') as text, words, units
  from ungrouped_expected
  union all
  select 'theirs', entry_no, ref::varchar, day, coalesce(currency, ''), amount_micros, coalesce(text, ''), words, units
  from ungrouped_reported
),
changed as (
  select c.*
  from asked c
  cross join run
  where not is_learned and not has_settlement and kind <> 'review_threshold'
    and (select count(*) from asked)
      * ((select count(*) from ungrouped_expected) + (select count(*) from ungrouped_reported)) <= 1000000
),
partner as materialized (
  select c.change_no, c.score, c.side as of, c.entry_no as of_no, c.window_days, p.*
  from changed c
  join lone_row p on p.side <> c.side and p.entry_no = c.partner_no
),
amount as (
  select 'ours' as side, coalesce(currency, '') as currency, abs(amount_micros) as magnitude from ungrouped_expected
  union all
  select 'theirs', coalesce(currency, ''), abs(amount_micros) from ungrouped_reported
),
shared as (
  select
    currency, magnitude,
    (count(*) filter (side = 'ours') + 1) * (count(*) filter (side = 'theirs') + 1) as pairs
  from amount
  semi join (select currency, abs(amount_micros) as magnitude from asked) using (currency, magnitude)
  group by all
),
met as (
  select
    c.change_no, c.score, c.day as one_day, r.day as other_day, c.units as one_units, r.units as other_units,
    if(c.side = 'ours', c.amount_micros, r.amount_micros) as ours_micros,
    if(c.side = 'ours', r.amount_micros, c.amount_micros) as theirs_micros,
    if(c.side = 'ours', c.text, r.text) as ours_text, if(c.side = 'ours', r.text, c.text) as theirs_text,
    if(c.side = 'ours', c.words, r.words) as ours_words, if(c.side = 'ours', r.words, c.words) as theirs_words
  from changed c
  join free r on r.side <> c.side and r.entry_no <> c.partner_no and r.currency = c.currency
    and (c.bound_ref is null or r.bound_ref is null)
    and coalesce(abs(date_diff('day', c.day, r.day)) <= c.window_days, true)
  union all
  select
    p.change_no, p.score, p.day, r.day, p.units, r.units,
    if(p.of = 'ours', r.amount_micros, p.amount_micros), if(p.of = 'ours', p.amount_micros, r.amount_micros),
    if(p.of = 'ours', r.text, p.text), if(p.of = 'ours', p.text, r.text),
    if(p.of = 'ours', r.words, p.words), if(p.of = 'ours', p.words, r.words)
  from partner p
  join free r on r.side = p.of and r.entry_no <> p.of_no and r.currency = p.currency
    and (p.bound_ref is null or r.bound_ref is null)
    and coalesce(abs(date_diff('day', p.day, r.day)) <= p.window_days, true)
),
judged as (
  select
    change_no, score, 1 / (1 + abs(date_diff('day', one_day, other_day)) / lag_half_days) as rival_time,
    amount_likeness(ours_micros, theirs_micros) as rival_amount, unit_likeness(one_units, other_units) as rival_unit,
    text_likeness(ours_text, theirs_text, ours_words, theirs_words) as rival_text,
    weighted_score(
      rival_time, rival_amount, rival_unit, rival_text, weight_time, weight_amount, weight_unit, weight_text
    ) as rival_score
  from met
  cross join run
  where could_meet(ours_micros, theirs_micros, ours_words, theirs_words)
),
rival as (select distinct change_no from judged where rival_score >= score)
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
