-- step:  block_expected
-- in:    ungrouped_expected, ungrouped_reported, equal_row, run
-- out:   block_expected(entry_no, ref, currency, day, term, amount_micros, magnitude, size, fine, initials, first_word, has_text)
-- grain: one row per (entry_no)
-- why:   what a row of ours can share with one of the other side, as values that a join can ask for: the magnitude of
--        the amount, sizes of a fifth and of a hundredth of its logarithm, the term of the window, the initials of the
--        first two words, the first word of three letters. Rows that met as equals are settled, and where every row
--        carries a reference none is paired by likeness
with unreferenced as (
  select entry_no from ungrouped_expected where ref is null
  union all
  select entry_no from ungrouped_reported where ref is null
)
select
  entry_no, ref, coalesce(currency, '') as currency, day,
  coalesce(date_diff('day', date '1970-01-01', day) // (window_days + 1), -1000000000) as term, amount_micros, abs(amount_micros) as magnitude,
  sign(amount_micros) * cast(floor(ln(greatest(abs(amount_micros), 1)) * 5) as bigint) as size,
  sign(amount_micros) * cast(floor(ln(greatest(abs(amount_micros), 1)) * 100) as bigint) as fine,
  initials_of(text) as initials,
  long_word_of(text) as first_word,
  coalesce(text, '') <> '' as has_text
from (select * from ungrouped_expected anti join (from equal_row where is_match) m on m.ours_row = entry_no), run
where is_scored and (select count(*) from unreferenced) > 0
