-- step:  quoted
-- in:    infer_code, infer_told
-- out:   quoted(met, agreeing)
-- grain: one row
-- why:   how many numbers stand in one row of a column of codes and in one text of the other side, and of how many of them
--        the rows have an equal amount, which accident would not give. A number is a word with a digit, of three signs or
--        more, told as the engine tells words apart
with
said as (
  select true as is_code, said, amount from infer_code
  union all
  select false, said, amount from infer_told
),
single as (
  select is_code, number, any_value(amount) as amount
  from (
    select
      is_code, amount,
      unnest(list_distinct(regexp_extract_all(lower(strip_accents(said)), '[\p{L}\p{N}]+'))) as number
    from said
  )
  where length(number) >= 3 and regexp_matches(number, '\d')
  group by is_code, number
  having count(*) = 1
)
select count(*) as met, count(*) filter (abs(c.amount) = abs(t.amount)) as agreeing
from (from single where is_code) c
join (from single where not is_code) t using (number)
