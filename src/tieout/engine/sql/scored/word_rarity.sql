-- step:  word_rarity
-- in:    ungrouped_expected, ungrouped_reported
-- out:   word_rarity(word, meant, rarity, code)
-- grain: one row per (word)
-- why:   a rare word that both texts share tells more than a common one: its rarity is -ln of the share of rows of both
--        sides that have the word (inverse document frequency, Spärck Jones 1972). A word may mean another. One that only one
--        side has, and with which one word of the other begins, is that word cut off, for many systems cut texts. One that at
--        most three rows have and that is one letter dropped, doubled or wrong from one at least four times as frequent is
--        that one mistyped. What both sides mean has a code: its number, with the rarity in hundred-thousandths in the last
--        24 bits
with
ours as (select word, count(*) as ours_rows from (select unnest(words) as word from ungrouped_expected) group by word),
theirs as (
  select word, count(*) as theirs_rows from (select unnest(words) as word from ungrouped_reported) group by word
),
said as materialized (
  select
    word, coalesce(ours_rows, 0) as ours_rows, coalesce(theirs_rows, 0) as theirs_rows,
    coalesce(ours_rows, 0) + coalesce(theirs_rows, 0) as every_row, not regexp_matches(word, '\d') as is_letters
  from ours
  full join theirs using (word)
),
alone as (
  select word as start, ours_rows > 0 as is_ours
  from said
  where is_letters and length(word) >= 4 and (ours_rows = 0 or theirs_rows = 0)
),
longer as (
  select word, ours_rows, theirs_rows, substr(word, 1, unnest(range(4, length(word)))) as start
  from said
  where is_letters and length(word) between 5 and 40
),
begun as (
  select start, word, if(is_ours, theirs_rows, ours_rows) as other_rows
  from longer
  join alone using (start)
),
cut as (
  select start as word, arg_max(word, (other_rows, word)) as meant
  from begun
  where other_rows > 0
  group by start
  having max(other_rows) >= 0.8 * sum(other_rows)
),
typed_without as (
  select word, every_row, unnest(list_append(list_transform(
    range(1, length(word) + 1), lambda i: substr(word, 1, i - 1) || substr(word, i + 1)), word)) as rest
  from said
  where is_letters and length(word) between 6 and 40 and every_row <= 3
),
known_without as (
  select word, every_row, unnest(list_append(list_transform(
    range(1, length(word) + 1), lambda i: substr(word, 1, i - 1) || substr(word, i + 1)), word)) as rest
  from said
  where is_letters and length(word) between 5 and 40 and every_row > 3
),
mistyped as (
  select t.word, arg_max(k.word, (k.every_row, k.word)) as meant
  from typed_without t
  join known_without k using (rest)
  where k.every_row >= 4 * t.every_row
  group by t.word
),
-- What is a start or a slip itself is not what another word means.
whole as (
  from cut
  anti join (select word as meant from cut) c using (meant)
  anti join (select word as meant from mistyped) m using (meant)
),
meaning as (
  select s.word, coalesce(c.meant, k.meant, m.meant, s.word) as meant, s.ours_rows, s.theirs_rows
  from said s
  left join whole c using (word)
  left join mistyped m using (word)
  left join whole k on k.word = m.meant
),
size as (
  select (select count(*) from ungrouped_expected) + (select count(*) from ungrouped_reported) as every_row
),
rare as (
  select
    meant, round(-ln(least((sum(ours_rows) + sum(theirs_rows)) / every_row, 1)), 5) as rarity,
    if(sum(ours_rows) > 0 and sum(theirs_rows) > 0, row_number() over (order by meant), null) as number
  from meaning
  cross join size
  group by meant, every_row
)
select word, meant, rarity, number * 16777216 + cast(round(rarity * 100000) as bigint) as code
from meaning
join rare using (meant)
