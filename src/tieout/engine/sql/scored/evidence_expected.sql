-- step:  evidence_expected
-- in:    ungrouped_expected, ungrouped_reported, open_expected, block_expected, equal_row, sample_expected, word_rarity
-- out:   evidence_expected(entry_no, day, currency, amount_micros, text, words_in_order, initials, codes, units, said, content, copy_no, amount_share)
-- grain: one row per (entry_no)
-- why:   what a row of ours brings to a comparison, made once and not once a pair. Rows of equal content are
--        numbered by copy_no. The share of its amount is that of the other rows that have it, at least that of pairs
--        that have any amount in common by chance. One that stands once on either side is told by such amounts alone: of
--        n rows of which so many amounts stand once and twice, 2 twice / (once n) is expected to have it (Turing's estimate,
--        in Good, The Population Frequencies of Species, 1953), four times that, for rows near in time share more
with
wanted as materialized (
  select entry_no from block_expected
  union
  select ours_row from equal_row where not is_match
  union
  select entry_no from sample_expected
),
repeated as (
  select content from ungrouped_expected semi join wanted using (entry_no) group by content having count(*) > 1
),
copy as (
  select
    r.entry_no, row_number() over (partition by r.content order by e.compared, e.source, r.entry_no) as copy_no
  from ungrouped_expected r
  semi join wanted using (entry_no)
  semi join repeated using (content)
  join open_expected e using (entry_no)
),
coded as (
  select entry_no, list(code order by code) as codes
  from (select entry_no, unnest(words) as word from ungrouped_expected semi join wanted using (entry_no))
  join word_rarity using (word)
  where code is not null
  group by entry_no
),
amount_of as (
  select coalesce(currency, '') as currency, amount_micros, 1 as ours, 0 as theirs from ungrouped_expected
  union all
  select coalesce(currency, ''), amount_micros, 0, 1 from ungrouped_reported
),
total as (select currency, sum(ours) as ours_rows, sum(theirs) as theirs_rows from amount_of group by currency),
amount_times as (
  select currency, amount_micros, sum(ours) as ours_times, sum(theirs) as theirs_times
  from amount_of
  where amount_micros is not null
  group by all
),
seldom as (
  select
    currency, count(*) filter (ours_times = 1) + count(*) filter (theirs_times = 1) as once,
    count(*) filter (ours_times = 2) + count(*) filter (theirs_times = 2) as twice,
    4 * (2 * twice + 1) / (greatest(once, 1) * any_value(ours_rows + theirs_rows) / 2) as seldom_share
  from amount_times
  join total using (currency)
  group by currency
),
amount_size as (from amount_times where ours_times > 0 and theirs_times > 0),
common as (
  select currency, (sum(ours_times * theirs_times - 1) + 0.05) / any_value(ours_rows * theirs_rows) as chance_share
  from amount_size
  join total using (currency)
  group by currency
),
amount_share as (
  select
    currency, amount_micros,
    greatest(
      (ours_times + theirs_times - 2)::double / greatest(ours_rows + theirs_rows - 2, 1),
      if(ours_times = 1 and theirs_times = 1, least(chance_share::double, seldom_share), chance_share::double), 1e-7
    ) as share
  from amount_size
  join total using (currency)
  join common using (currency)
  join seldom using (currency)
)
select
  r.entry_no, r.day, coalesce(r.currency, '') as currency, r.amount_micros, coalesce(r.text, '') as text,
  array_to_string(r.words, ' ') as words_in_order,
  initials_of(r.text) as initials,
  coalesce(list_filter(coded.codes, lambda code, place: place = 1 or code <> coded.codes[place - 1]), []) as codes,
  r.units, r.said, r.content, coalesce(copy.copy_no, 1) as copy_no,
  least(s.share, 1.0) as amount_share
from ungrouped_expected r
semi join wanted using (entry_no)
left join coded using (entry_no)
left join copy using (entry_no)
left join amount_share s on s.currency = coalesce(r.currency, '') and s.amount_micros = r.amount_micros
