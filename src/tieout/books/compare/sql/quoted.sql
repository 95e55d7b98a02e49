-- step:  quoted
-- in:    infer_code, infer_told
-- out:   quoted(met, agreeing)
-- grain: one row
-- why:   how many numbers stand in one row of a column of codes and in one text of the other side, and of how many of them
--        the rows have an equal amount, which accident would not give. A number is a word with a digit, of three signs or
--        more, told as the engine tells words apart
with
code as (
  select number, any_value(amount) as amount
  from (
    select amount, unnest(list_distinct(regexp_extract_all(lower(strip_accents(said)), '[\p{L}\p{N}]+'))) as number
    from infer_code
  )
  where length(number) >= 3 and regexp_matches(number, '\d')
  group by number
  having count(*) = 1
),
told as (
  select number, any_value(amount) as amount
  from (
    select amount, unnest(list_distinct(regexp_extract_all(lower(strip_accents(said)), '[\p{L}\p{N}]+'))) as number
    from infer_told
  )
  where length(number) >= 3 and regexp_matches(number, '\d')
  group by number
  having count(*) = 1
)
select count(*) as met, count(*) filter (abs(code.amount) = abs(told.amount)) as agreeing
from code
join told using (number)
