-- step:  lone_rows_are_left
-- in:    ungrouped_expected, ungrouped_reported, scored_choice, equal_row
-- out:   leftover(is_there)
-- why:   where every row found a partner nothing can be part of a sum, sent twice or reversed
select
  (select count(*) from ungrouped_expected) + (select count(*) from ungrouped_reported)
    > 2 * ((select count(*) from scored_choice) + (select count(*) from equal_row where is_match)) as is_there
