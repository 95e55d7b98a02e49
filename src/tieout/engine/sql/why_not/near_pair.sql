-- step:  near_pair
-- in:    lone_row, scored_candidate, run
-- out:   near_pair(side, entry_no, partner_no, score, is_first, is_alone)
-- grain: one row per (side, entry_no, partner_no)
-- why:   unmatched rows of both sides that one change could bring together where likeness decides: of one currency with an
--        amount that is equal but for the sign, on any day (where more than 200 pairs share it the nearest days before
--        and after the window), with the same digits in another order, with the same words, or with a word in common and
--        an amount within a fifth of its logarithm; of two currencies with an equal amount on one day; and what was scored
--        too low. No value that more than 200 pairs share is joined
--        by, no word that more than 50 rows of a side and a size have. A score says whether either row prefers the other to all that
--        are unmatched (is_first), and whether neither has another (is_alone)
with
subject as (
  select *, abs(amount_micros) as magnitude, if(side = 'ours', 'theirs', 'ours') as other
  from lone_row
  where is_subject
),
partner as (select *, abs(amount_micros) as magnitude from lone_row),
crowded as (
  select currency, magnitude
  from partner
  where magnitude is not null
  group by all
  having count(*) filter (side = 'ours') * count(*) filter (side = 'theirs') > 200
),
first_of_day as (
  select side, currency, amount_micros, day, entry_no
  from partner
  semi join crowded using (currency, magnitude)
  where day is not null
  qualify row_number() over (partition by side, currency, amount_micros, day order by place, entry_no) = 1
),
crowd as (select s.*, day - window_days::integer as from_day, day + window_days::integer as to_day from subject s cross join run),
dated as (select side, entry_no, currency, amount_micros, day from partner where day is not null and amount_micros is not null),
crowded_date as (
  select amount_micros, day
  from dated
  group by all
  having count(*) filter (side = 'ours') * count(*) filter (side = 'theirs') > 200
),
digit as materialized (
  select side, entry_no, currency, sign(amount_micros) as sign,
    list_sort(string_split(magnitude::varchar, '')) as digits
  from partner
  where magnitude > 0
),
crowded_digit as (
  select currency, sign, digits
  from digit
  group by all
  having count(*) filter (side = 'ours') * count(*) filter (side = 'theirs') > 200
),
spelt as (
  select side, entry_no, currency, array_to_string(words, ' ') as said from partner where text <> ''
),
crowded_text as (
  select currency, said
  from spelt
  group by all
  having count(*) filter (side = 'ours') * count(*) filter (side = 'theirs') > 200
),
word as (
  select side, entry_no, currency, word, size
  from (
    select
      side, entry_no, currency, unnest(words) as word,
      sign(amount_micros) * cast(floor(ln(greatest(magnitude, 1)) * 5) as bigint) as size
    from partner
    where magnitude > 0
  )
  where length(word) >= 3
),
sized as (
  select side, entry_no, currency, word, unnest([size - 1, size, size + 1]) as size
  from word
  semi join subject using (side, entry_no)
),
met_word as (
  select * from word semi join sized using (currency, word, size)
  qualify count(*) over (partition by side, currency, word, size) <= 50
),
free as (
  select
    preference, ours_row, theirs_row, score,
    row_number() over (partition by ours_row order by preference) = 1
      and row_number() over (partition by theirs_row order by preference) = 1 as is_first,
    count(*) over (partition by ours_row) = 1 and count(*) over (partition by theirs_row) = 1 as is_alone
  from scored_candidate
  semi join (from lone_row where side = 'ours') o on o.entry_no = ours_row
  semi join (from lone_row where side = 'theirs') t on t.entry_no = theirs_row
  where score > 0
),
edge as (
  select 'ours' as side, ours_row as entry_no, theirs_row as partner_no, score, is_first, is_alone
  from free
  semi join (from subject where side = 'ours') s on s.entry_no = ours_row
  union all
  select 'theirs', theirs_row, ours_row, score, is_first, is_alone
  from free
  semi join (from subject where side = 'theirs') s on s.entry_no = theirs_row
),
pair as (
  select s.side, s.entry_no, p.entry_no as partner_no
  from (from subject anti join crowded using (currency, magnitude)) s
  join partner p on p.side = s.other and p.currency = s.currency and p.magnitude = s.magnitude
  union
  select s.side, s.entry_no, p.entry_no
  from crowd s
  asof join first_of_day p
    on p.side = s.other and p.currency = s.currency and p.amount_micros = s.amount_micros and s.from_day > p.day
  union
  select s.side, s.entry_no, p.entry_no
  from crowd s
  asof join first_of_day p
    on p.side = s.other and p.currency = s.currency and p.amount_micros = s.amount_micros and s.to_day < p.day
  union
  select s.side, s.entry_no, p.entry_no
  from (from subject anti join crowded_date using (amount_micros, day)) s
  join dated p
    on p.side = s.other and p.amount_micros = s.amount_micros and p.day = s.day and p.currency <> s.currency
  union
  select s.side, s.entry_no, p.entry_no
  from (from digit semi join subject using (side, entry_no) anti join crowded_digit using (currency, sign, digits)) s
  join digit p on p.side <> s.side and p.currency = s.currency and p.sign = s.sign and p.digits = s.digits
  union
  select s.side, s.entry_no, p.entry_no
  from (from spelt semi join subject using (side, entry_no) anti join crowded_text using (currency, said)) s
  join spelt p on p.side <> s.side and p.currency = s.currency and p.said = s.said
  union
  select s.side, s.entry_no, p.entry_no
  from sized s
  join met_word p on p.side <> s.side and p.currency = s.currency and p.word = s.word and p.size = s.size
  union
  select side, entry_no, partner_no from edge
)
select
  pair.side, pair.entry_no, pair.partner_no, e.score, coalesce(e.is_first, false) as is_first,
  coalesce(e.is_alone, false) as is_alone
from pair
join lone_row s on s.side = pair.side and s.entry_no = pair.entry_no
join lone_row p on p.side <> pair.side and p.entry_no = pair.partner_no
left join edge e on e.side = pair.side and e.entry_no = pair.entry_no and e.partner_no = pair.partner_no
where s.bound_ref is null or p.bound_ref is null
