-- step:  ungrouped_expected
-- in:    open_expected, entry_group, run
-- out:   ungrouped_expected(entry_no, ref, day, currency, amount_micros, text, words, units, content, said)
-- grain: one row per (entry_no)
-- empty: when closer_expected
-- types: bigint, varchar, date, varchar, bigint, varchar, varchar[], varchar[], ubigint, ubigint
-- why:   what neither a reference nor a group settled, with its text reduced to what people repeat: lower case,
--        letters and digits, single blanks, and its distinct words. Most texts are so but for case and accents,
--        and to see that takes a tenth of what it takes to replace nothing. Where the plan groups, a group reference
--        stands in for a reference that is not there: such a row is bound as well. Rows of equal evidence have the same
--        content; said stands for the values that are compared
with
lower_case as (
  select * replace (lower(strip_accents(text)) as text)
  from open_expected
  anti join (select entry_no from entry_group where side = 'ours') g using (entry_no)
),
reduced as (
  select
    * replace (
      case
        when not regexp_matches(text, '[^\p{L}\p{N} ]|  |^ | $') then text
        else trim(regexp_replace(text, '[^\p{L}\p{N}]+', ' ', 'g'))
      end as text
    )
  from lower_case
),
worded as (select *, list_sort(string_split(text, ' ')) as words from reduced)
select
  entry_no, coalesce(ref::varchar, if(has_group, group_ref, null)) as ref, day, currency, amount_micros, text,
  list_filter(words, lambda word, place: place = 1 or word <> words[place - 1]) as words,
  if(coalesce(unit_1, unit_2, unit_3, unit_4, unit_5, unit_6) is null, null, [unit_1, unit_2, unit_3, unit_4, unit_5, unit_6]) as units,
  hash(day, currency, amount_micros, text, unit_1, unit_2, unit_3, unit_4, unit_5, unit_6) as content, hash(compared) as said
from worded
cross join run
