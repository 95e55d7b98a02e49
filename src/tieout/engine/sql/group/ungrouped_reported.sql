-- step:  ungrouped_reported
-- in:    open_reported, entry_group, run
-- out:   ungrouped_reported(entry_no, ref, day, currency, amount_micros, text, words, unit_1, unit_2, unit_3, unit_4, unit_5, unit_6)
-- grain: one row per (entry_no)
-- empty: when closer_reported
-- types: bigint, varchar, date, varchar, bigint, varchar, varchar[], varchar, varchar, varchar, varchar, varchar, varchar
-- why:   what neither a reference nor a group settled, with its text reduced to what people repeat: lower case,
--        letters and digits, single blanks, and its distinct words. Where the plan groups, a group reference stands in
--        for a reference that is not there: such a row is bound as well
select
  entry_no, coalesce(ref::varchar, if(has_group, group_ref, null)) as ref, day, currency, amount_micros,
  trim(regexp_replace(lower(strip_accents(text)), '[^\p{L}\p{N}]+', ' ', 'g')) as text,
  list_sort(list_distinct(string_split(
    trim(regexp_replace(lower(strip_accents(text)), '[^\p{L}\p{N}]+', ' ', 'g')), ' '))) as words,
  unit_1, unit_2, unit_3, unit_4, unit_5, unit_6
from open_reported
anti join (select entry_no from entry_group where side = 'theirs') g using (entry_no)
cross join run
