-- step:  score_candidate
-- in:    block_candidate, ungrouped_expected, ungrouped_reported, open_expected, open_reported, run
-- out:   scored_candidate(preference, ours_row, theirs_row, score, score_time, score_amount, score_unit, score_text, weight_pair, weight_time, weight_amount, weight_unit, weight_text, ours_content, theirs_content)
-- grain: one row per (preference)
-- why:   each piece of evidence counts 0 to 1 and is null where a side lacks it; the score is their weighted mean over
--        what is there. Time counts 1 / (1 + lag / lag_half_days), an equal amount 1 and an unequal one at most
--        0.9, text is the better of the spelling as it stands and of the words in order (Jaro-Winkler, from 0.5 up).
--        Preference is a total order: score, then the nearer amount and day, then pairs that agree in what is
--        compared, then content, and only among equal rows the row number, so the order of the files never decides.
--        Rows of equal evidence are numbered and meet number by number, so that a thousand equal payments are
--        settled in one round and not in a thousand.
with
ours as (
  select
    u.* exclude (content), e.compared,
    dense_rank() over (
      order by u.day, u.currency, u.amount_micros, u.text, u.units, u.ref
    ) as content,
    row_number() over (
      partition by u.day, u.currency, u.amount_micros, u.text, u.units, u.ref
      order by e.compared, e.source, u.entry_no
    ) as copy_no
  from ungrouped_expected u
  join open_expected e using (entry_no)
  semi join block_candidate c on c.ours_row = u.entry_no
),
theirs as (
  select
    u.* exclude (content), e.compared,
    dense_rank() over (
      order by u.day, u.currency, u.amount_micros, u.text, u.units, u.ref
    ) as content,
    row_number() over (
      partition by u.day, u.currency, u.amount_micros, u.text, u.units, u.ref
      order by e.compared, e.source, u.entry_no
    ) as copy_no
  from ungrouped_reported u
  join open_reported e using (entry_no)
  semi join block_candidate c on c.theirs_row = u.entry_no
),
evidence as (
  select
    c.ours_row,
    c.theirs_row,
    o.content as ours_content,
    t.content as theirs_content,
    o.copy_no as ours_copy,
    t.copy_no as theirs_copy,
    o.compared is distinct from t.compared as disagrees,
    abs(date_diff('day', o.day, t.day)) as lag_days,
    abs(o.amount_micros::hugeint - t.amount_micros) as gap_micros,
    1 / (1 + lag_days / lag_half_days) as score_time,
    amount_likeness(o.amount_micros, t.amount_micros) as score_amount,
    unit_likeness(o.units, t.units) as score_unit,
    text_likeness(o.text, t.text, o.words, t.words) as score_text
  from block_candidate c
  join ours o on o.entry_no = c.ours_row
  join theirs t on t.entry_no = c.theirs_row
  cross join run
),
weighted as (
  select
    *,
    weighted_score(
      score_time, score_amount, score_unit, score_text, weight_time, weight_amount, weight_unit, weight_text
    ) as score
  from evidence
  cross join run
)
select
  row_number() over (
    order by score desc, gap_micros, lag_days, disagrees, ours_content, theirs_content, abs(ours_copy - theirs_copy),
      ours_copy, theirs_copy
  ) as preference,
  ours_row, theirs_row, score, score_time, score_amount, score_unit, score_text,
  null::double as weight_pair, null::double as weight_time, null::double as weight_amount,
  null::double as weight_unit, null::double as weight_text,
  ours_content, theirs_content
from weighted
where score is not null
