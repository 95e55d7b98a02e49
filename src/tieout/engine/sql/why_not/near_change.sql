-- step:  near_change
-- in:    near_pair, lone_row, run
-- out:   near_change(change_no, side, entry_no, kind, from_value, to_value, size, partner_no, gap_micros, lag_days, score, day, currency, amount_micros, text, words, units, bound_ref, window_days)
-- grain: one row per (change_no)
-- why:   what each such pair lacks, if it is one thing: a wider window (by a month at most), a lower review threshold (by half
--        at most), or the day, the currency, the amount (by half at most, but for its sign and swapped digits) or the text of the
--        other row. The row stands here as it would
--        be after the change, with the score that the pair would then have. With fixed weights only changes that reach the
--        threshold count; where weights are learned the texts must be alike, or be what differs
with
pair as (
  select
    n.side, n.entry_no, n.partner_no, n.score as scored, n.is_first, n.is_alone, s.day, s.currency, s.amount_micros,
    s.text, s.words, s.units, s.bound_ref, p.day as p_day, p.currency as p_currency, p.amount_micros as p_micros,
    p.text as p_text, p.words as p_words, p.units as p_units, p.place,
    abs(date_diff('day', s.day, p.day)) as lag_days, abs(s.amount_micros::hugeint - p.amount_micros) as gap_micros,
    coalesce(lag_days <= window_days, true) as is_near, s.currency = p.currency as is_one_currency,
    s.amount_micros is not distinct from p.amount_micros and (s.amount_micros is not null or s.text <> '') as is_equal,
    if(
      is_learned, coalesce(text_likeness(s.text, p.text, s.words, p.words) >= 0.5, true), true
    ) as is_alike,
    r.window_days as asked_days, review_threshold, is_learned
  from near_pair n
  join lone_row s on s.side = n.side and s.entry_no = n.entry_no
  join lone_row p on p.side <> n.side and p.entry_no = n.partner_no
  cross join run r
),
change as (
  select
    'window_days' as kind, asked_days::varchar as from_value, lag_days::varchar as to_value,
    (lag_days - asked_days)::hugeint as size, * exclude (day, currency, amount_micros, text, words), day, currency,
    amount_micros, text, words, lag_days as window_days
  from pair
  where is_one_currency and is_equal and is_alike and lag_days between asked_days + 1 and asked_days + 31
  union all by name
  select
    'review_threshold' as kind, review_threshold::varchar as from_value,
    (floor((scored - if(is_learned, 1e-9, 0)) * 1000) / 1000)::varchar as to_value,
    ((review_threshold - scored) * 1000000)::hugeint as size, *, asked_days as window_days
  from pair
  where scored < review_threshold and scored * 2 >= review_threshold and is_first
  union all by name
  select
    'date' as kind, day::varchar as from_value, p_day::varchar as to_value, lag_days::hugeint as size,
    * replace (p_day as day), asked_days as window_days
  from pair
  where is_one_currency and is_equal and is_alike and not is_near
  union all by name
  select
    'currency' as kind, currency as from_value, p_currency as to_value, 0::hugeint as size,
    * replace (p_currency as currency), asked_days as window_days
  from pair
  where not is_one_currency and is_equal and gap_micros = 0 and is_alike and is_near
  union all by name
  select
    case
      when digits_swapped(amount_micros, p_micros) then 'amount_digits'
      when amount_micros = -p_micros then 'amount_sign'
      else 'amount'
    end as kind,
    plain_number(amount_micros::decimal(19, 0) * 0.000001::decimal(7, 6)) as from_value,
    plain_number(p_micros::decimal(19, 0) * 0.000001::decimal(7, 6)) as to_value, gap_micros as size,
    * replace (p_micros as amount_micros), asked_days as window_days
  from pair
  where is_one_currency and gap_micros > 0 and is_near and is_alike
    and (
      kind <> 'amount'
      or gap_micros * 2 <= greatest(abs(amount_micros), abs(p_micros)) and (not is_learned or text <> '' and p_text <> '')
    )
  union all by name
  select
    'text' as kind, text as from_value, p_text as to_value, levenshtein(text, p_text)::hugeint as size,
    * replace (p_text as text, p_words as words), asked_days as window_days
  from pair
  where is_one_currency and is_equal and is_near and text <> '' and p_text <> '' and text <> p_text
    and scored < review_threshold
),
faced as (
  select
    *, abs(date_diff('day', day, p_day)) as lag_after, unit_likeness(units, p_units) as unit_after,
    if(side = 'ours', amount_micros, p_micros) as ours_micros, if(side = 'ours', p_micros, amount_micros) as theirs_micros,
    if(side = 'ours', text, p_text) as ours_text, if(side = 'ours', p_text, text) as theirs_text,
    if(side = 'ours', words, p_words) as ours_words, if(side = 'ours', p_words, words) as theirs_words
  from change
),
judged as (
  select
    f.* exclude (ours_micros, theirs_micros, ours_text, theirs_text, ours_words, theirs_words),
    1 / (1 + lag_after / lag_half_days) as time_after, amount_likeness(ours_micros, theirs_micros) as amount_after,
    text_likeness(ours_text, theirs_text, ours_words, theirs_words) as text_after,
    if(
      kind = 'review_threshold', scored,
      weighted_score(
        time_after, amount_after, unit_after, text_after, weight_time, weight_amount, weight_unit, weight_text
      )
    ) as score
  from faced f
  cross join run
)
select
  row_number() over (order by side, entry_no, change_rank(kind), size, place, partner_no) as change_no,
  side, entry_no, kind, from_value, to_value, size, partner_no, gap_micros, lag_days, score, day, currency,
  amount_micros, text, words, units, bound_ref, window_days
from judged
where is_learned or kind = 'review_threshold' or score >= review_threshold
