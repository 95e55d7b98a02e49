-- step:  word_rarity
-- in:    ungrouped_expected, ungrouped_reported
-- out:   word_rarity(word, rarity, code)
-- grain: one row per (word)
-- why:   a rare word that both texts share tells more than a common one: its rarity is -ln of the share of rows of both
--        sides that have the word (inverse document frequency, Spärck Jones 1972). A word that both sides have has
--        a code: its number, with the rarity in hundred-thousandths in the last 24 bits
with
ours as (select word, count(*) as ours_rows from (select unnest(words) as word from ungrouped_expected) group by word),
theirs as (
  select word, count(*) as theirs_rows from (select unnest(words) as word from ungrouped_reported) group by word
),
said as (
  select
    word,
    round(
      -ln(
        (coalesce(ours_rows, 0) + coalesce(theirs_rows, 0))
        / ((select count(*) from ungrouped_expected) + (select count(*) from ungrouped_reported))
      ),
      5
    ) as rarity,
    ours_rows is not null and theirs_rows is not null as is_shared
  from ours
  full join theirs using (word)
)
select
  word, rarity, row_number() over (order by word) * 16777216 + cast(round(rarity * 100000) as bigint) as code
from said
where is_shared
union all
select word, rarity, null
from said
where not is_shared
