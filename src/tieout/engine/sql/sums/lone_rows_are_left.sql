-- step:  lone_rows_are_left
-- in:    ungrouped_expected, ungrouped_reported, scored_choice, equal_row
-- out:   leftover(is_there)
-- why:   where every row with an amount found a partner nothing can be part of a sum, sent twice or reversed
select
  (select count(amount_micros) from ungrouped_expected) + (select count(amount_micros) from ungrouped_reported)
    > 2 * ((select count(*) from scored_choice) + (select count(*) from equal_row where is_match)) as is_there
