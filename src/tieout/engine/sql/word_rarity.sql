-- step:  word_rarity
-- in:    ungrouped_expected, ungrouped_reported
-- out:   word_rarity(word, code)
-- grain: one row per (word)
-- why:   a rare word that both texts share tells more than a common one: its rarity is -ln of the share of rows of both
--        sides that have the word (inverse document frequency, Spärck Jones 1972). The code of a word that both sides
--        have is its number, with the rarity in hundred-thousandths in the last 24 bits
with
word_of as (
  select unnest(words) as word, 1 as ours, 0 as theirs from ungrouped_expected
  union all
  select unnest(words), 0, 1 from ungrouped_reported
),
shared as (
  select
    word,
    -ln(count(*) / ((select count(*) from ungrouped_expected) + (select count(*) from ungrouped_reported))) as rarity
  from word_of
  group by word
  having sum(ours) > 0 and sum(theirs) > 0
)
select word, row_number() over (order by word) * 16777216 + cast(round(rarity * 100000) as bigint) as code
from shared
