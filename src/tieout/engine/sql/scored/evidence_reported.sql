-- step:  evidence_reported
-- in:    ungrouped_reported, open_reported, block_reported, equal_row, sample_reported, word_rarity
-- out:   evidence_reported(entry_no, day, currency, amount_micros, text, words_in_order, initials, codes, units, said, content, copy_no)
-- grain: one row per (entry_no)
-- why:   what a row of theirs brings to a comparison, made once and not once a pair. Rows of equal content are
--        numbered by copy_no
with
wanted as materialized (
  select entry_no from block_reported
  union
  select theirs_row from equal_row where not is_match
  union
  select entry_no from sample_reported
),
repeated as (
  select content from ungrouped_reported semi join wanted using (entry_no) group by content having count(*) > 1
),
copy as (
  select
    r.entry_no, row_number() over (partition by r.content order by e.compared, e.source, r.entry_no) as copy_no
  from ungrouped_reported r
  semi join wanted using (entry_no)
  semi join repeated using (content)
  join open_reported e using (entry_no)
),
coded as (
  select entry_no, list(code order by code) as codes
  from (select entry_no, unnest(words) as word from ungrouped_reported semi join wanted using (entry_no))
  join word_rarity using (word)
  where code is not null
  group by entry_no
)
select
  r.entry_no, r.day, coalesce(r.currency, '') as currency, r.amount_micros, coalesce(r.text, '') as text,
  array_to_string(r.words, ' ') as words_in_order,
  initials_of(r.text) as initials,
  coalesce(list_filter(coded.codes, lambda code, place: place = 1 or code <> coded.codes[place - 1]), []) as codes,
  r.units, r.said, r.content, coalesce(copy.copy_no, 1) as copy_no
from ungrouped_reported r
semi join wanted using (entry_no)
left join coded using (entry_no)
left join copy using (entry_no)
