-- step:  word_rarity
-- in:    ungrouped_expected, ungrouped_reported
-- out:   word_rarity(word, rarity)
-- grain: one row per (word)
-- why:   a rare word that both texts share tells more than a common one: rarity is -ln of the share of rows of both
--        sides that have the word (inverse document frequency, Spärck Jones 1972)
with
word_of as (
  select unnest(words) as word from ungrouped_expected
  union all
  select unnest(words) from ungrouped_reported
)
select
  word,
  round(-ln(count(*) / ((select count(*) from ungrouped_expected) + (select count(*) from ungrouped_reported))), 6)
    as rarity
from word_of
group by word
