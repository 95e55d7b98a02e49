-- step:  quoted_reference
-- in:    closer_expected, closer_reported, expected, reported, run
-- out:   quoted_reference(side, entry_no, ref)
-- grain: one row per (side, entry_no)
-- why:   the reference that a row left over has for the other side. One whose reference is several words, of which a
--        single one is a reference of the other side, of a row left over as well, has that one (INV-1005 less 2%). Of
--        several such words it has the one whose row has its amount (CN-12 for INV-7). Where all of them are of rows
--        left over whose amounts tie in sum, those rows have the reference that lists them (INV-1005 and INV-1006).
--        Otherwise nobody knows which is meant
with
open_row as materialized (
  select 'ours' as side, entry_no, ref::varchar as ref, coalesce(currency, '') as currency, amount_micros
  from closer_expected
  where is_open and ref is not null
  union all
  select 'theirs', entry_no, ref::varchar, coalesce(currency, ''), amount_micros
  from closer_reported
  where is_open and ref is not null
),
split as materialized (
  select
    side, entry_no, ref,
    list_distinct(list_filter(
      if(
        reference_form = 'digits',
        string_split(ref, '.'),
        string_split(translate(ref, ',;:()[]"#', '         '), ' ')
      ),
      lambda word: regexp_matches(word, '[0-9]')
    )) as words
  from open_row
  cross join run
),
word as materialized (select side, entry_no, ref, unnest(words) as word from split where not list_contains(words, ref)),
met as materialized (
  select side, entry_no, ref, word from word where side = 'theirs' and word in (select ref::varchar from expected)
  union all
  select side, entry_no, ref, word from word where side = 'ours' and word in (select ref::varchar from reported)
),
quoting as (select side, entry_no, count(*) as words from met group by side, entry_no),
listed as (
  select m.side, m.entry_no, m.ref, o.side as listed_side, o.entry_no as listed_row, o.currency, o.amount_micros
  from met m
  join open_row o on o.side <> m.side and o.ref = m.word
  qualify count(*) over (partition by o.side, o.entry_no) = 1
    and count(*) over (partition by m.side, m.word) = 1
),
tied as (
  select l.side, l.entry_no
  from listed l
  join quoting q on q.side = l.side and q.entry_no = l.entry_no
  join open_row p on p.side = l.side and p.entry_no = l.entry_no
  cross join run
  group by l.side, l.entry_no, q.words, p.currency, p.amount_micros
  having
    q.words > 1 and count(l.amount_micros) = q.words and bool_and(l.currency = p.currency)
    and abs(sum(l.amount_micros) - p.amount_micros)
      <= allowed_gap(p.amount_micros, any_value(tolerance_micros), any_value(tolerance_ppm))
),
left_over as (
  select m.side, m.entry_no, m.word, q.words, o.currency = p.currency and o.amount_micros = p.amount_micros as is_equal
  from met m
  join quoting q on q.side = m.side and q.entry_no = m.entry_no
  join open_row p on p.side = m.side and p.entry_no = m.entry_no
  join open_row o on o.side <> m.side and o.ref = m.word
),
meant as (
  select side, entry_no, any_value(word) filter (words = 1 or is_equal) as ref
  from left_over
  group by side, entry_no
  having count(distinct word) filter (words = 1 or is_equal) = 1
)
select side, entry_no, ref
from meant
anti join tied using (side, entry_no)
union all
select l.listed_side, l.listed_row, l.ref
from listed l
semi join tied t on t.side = l.side and t.entry_no = l.entry_no
