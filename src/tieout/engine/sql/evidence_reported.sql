-- step:  evidence_reported
-- in:    ungrouped_reported, open_reported, block_candidate, sample_reported, word_rarity
-- out:   evidence_reported(entry_no, day, currency, amount_micros, text, words, words_in_order, initials, rarities, unit_1, unit_2, unit_3, unit_4, unit_5, unit_6, compared, content, copy_no)
-- grain: one row per (entry_no)
-- why:   what a row of theirs brings to a comparison, made once and not once a pair. Content numbers rows of equal
--        evidence, copy_no those within it
with
wanted as (
  select theirs_row as entry_no from block_candidate
  union
  select entry_no from sample_reported
),
rare as (
  select entry_no, list({word: word, rarity: rarity} order by word) as rarities
  from (select entry_no, unnest(words) as word from ungrouped_reported semi join wanted using (entry_no))
  join word_rarity using (word)
  group by entry_no
)
select
  u.entry_no, u.day, coalesce(u.currency, '') as currency, u.amount_micros, coalesce(u.text, '') as text, u.words,
  array_to_string(u.words, ' ') as words_in_order,
  array_to_string(list_transform(string_split(coalesce(u.text, ''), ' ')[1:2], lambda w: left(w, 1)), '') as initials,
  coalesce(rare.rarities, []) as rarities,
  u.unit_1, u.unit_2, u.unit_3, u.unit_4, u.unit_5, u.unit_6, e.compared,
  dense_rank() over (
    order by u.day, u.currency, u.amount_micros, u.text, u.unit_1, u.unit_2, u.unit_3, u.unit_4, u.unit_5, u.unit_6
  ) as content,
  row_number() over (
    partition by u.day, u.currency, u.amount_micros, u.text, u.unit_1, u.unit_2, u.unit_3, u.unit_4, u.unit_5, u.unit_6
    order by e.compared, e.source, u.entry_no
  ) as copy_no
from ungrouped_reported u
join open_reported e using (entry_no)
semi join wanted using (entry_no)
left join rare using (entry_no)
