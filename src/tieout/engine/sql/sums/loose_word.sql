-- step:  loose_word
-- in:    loose_row, word_rarity
-- out:   loose_word(side, entry_no, word, rarity)
-- grain: one row per (side, entry_no, word)
-- why:   the words of three letters or more of rows that may belong to a sum. A word that at most three rows have and
--        that is one letter dropped, doubled or wrong from one at least four times as frequent stands for that one: a
--        name is the only thing that ties the parts of a payment, and in one in fifty it is mistyped
with
said as (select side, entry_no, unnest(words) as word from loose_row),
total as (select sum(exp(-rarity)) as words, min(exp(-rarity)) as least from word_rarity),
typed as materialized (
  select word, rarity
  from (select distinct word from said where length(word) >= 6 and not regexp_matches(word, '\d'))
  join word_rarity using (word)
  cross join total
  where exp(-rarity) <= 3.5 * least
),
known as (
  select word, rarity
  from word_rarity
  cross join total
  where length(word) >= 5 and exp(-rarity) > 3.5 * least and not regexp_matches(word, '\d')
),
typed_without as (
  select *, unnest(list_append(list_transform(
    range(1, length(word) + 1), lambda i: substr(word, 1, i - 1) || substr(word, i + 1)), word)) as rest
  from typed
),
known_without as (
  select *, unnest(list_append(list_transform(
    range(1, length(word) + 1), lambda i: substr(word, 1, i - 1) || substr(word, i + 1)), word)) as rest
  from known
),
slip as (
  select t.word, arg_min({word: k.word, rarity: k.rarity}, (k.rarity, k.word)) as meant
  from typed_without t
  join known_without k using (rest)
  where k.rarity <= t.rarity - ln(4)
  group by t.word
),
plain as materialized (
  select s.side, s.entry_no, s.word, r.rarity
  from said s
  join word_rarity r using (word)
  where length(s.word) >= 3
),
meant as (
  select distinct s.side, s.entry_no, p.meant.word as word, p.meant.rarity as rarity
  from plain s
  join slip p using (word)
)
from plain anti join slip using (word)
union all
from meant anti join (from plain anti join slip using (word)) said_too using (side, entry_no, word)
