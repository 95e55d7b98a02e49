-- step:  word_rarity
-- in:    ungrouped_expected, ungrouped_reported
-- out:   word_rarity(word, rarity, code)
-- grain: one row per (word)
-- why:   a rare word that both texts share tells more than a common one: its rarity is -ln of the share of rows of both
--        sides that have the word (inverse document frequency, Spärck Jones 1972). A word that both sides have has
--        a code: its number, with the rarity in hundred-thousandths in the last 24 bits
with
word_of as (
  select unnest(words) as word, 1 as ours, 0 as theirs from ungrouped_expected
  union all
  select unnest(words), 0, 1 from ungrouped_reported
),
said as (
  select
    word,
    round(-ln(count(*) / ((select count(*) from ungrouped_expected) + (select count(*) from ungrouped_reported))), 5)
      as rarity,
    sum(ours) > 0 and sum(theirs) > 0 as is_shared
  from word_of
  group by word
)
select
  word, rarity, row_number() over (order by word) * 16777216 + cast(round(rarity * 100000) as bigint) as code
from said
where is_shared
union all
select word, rarity, null
from said
where not is_shared
