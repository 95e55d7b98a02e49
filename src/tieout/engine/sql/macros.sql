-- Arithmetic that several steps share. Division of integers is explicit: // truncates toward zero in DuckDB.

-- why: micros are 64 bits and as many below zero as above, so that each can change its sign
create or replace macro within_64_bits(micros) as
  case when micros between -9223372036854775807 and 9223372036854775807 then cast(micros as bigint) end;

-- why: micros times a rate in nanos, rounded half away from zero to micros
create or replace macro fx_product(product) as
  within_64_bits((product + sign(product) * 500000000) // 1000000000);

-- why: DECIMAL(18, 6) times a million overflows its 18 digits from a million units on, and 128 bits cost 30 times as
--      much; two steps of a thousand stay exact within 18 digits below a billion units, beyond it is wide
create or replace macro to_micros(units) as
  case
    when units between -999999999 and 999999999 then cast(cast(units * 1000 as decimal(18, 3)) * 1000 as bigint)
    when units between -9223372036854.775807 and 9223372036854.775807
      then cast(cast(units as decimal(38, 6)) * 1000000 as bigint)
  end;

-- why: a file in cents; rounded half away from zero to micros. What needs 64 bits before it is divided is wide
create or replace macro scale_down(units, divisor) as
  case
    when units between -999999999 and 999999999
      then cast((to_micros(units) + sign(to_micros(units)) * (divisor // 2)) // divisor as bigint)
    when units between -1e25 and 1e25
      then within_64_bits(
        (cast(cast(units as decimal(38, 6)) * 1000000 as hugeint) + sign(units) * (divisor // 2)) // divisor
      )
  end;

-- why: a file in thousands
create or replace macro scale_up(units, factor) as
  within_64_bits(to_micros(units)::hugeint * factor);

-- why: 12.500000 is shown as 12.5
create or replace macro plain_number(units) as rtrim(rtrim(units::varchar, '0'), '.');

-- why: what a difference may have before it counts: so many micros, or so many millionths of ours
create or replace macro allowed_gap(micros, tolerance_micros, tolerance_ppm) as
  greatest(tolerance_micros::hugeint, abs(micros)::hugeint * tolerance_ppm // 1000000);

-- why: one compared cell of a pair in one form for all kinds, null where it does not differ: nearly all do not
create or replace macro cell(nr, title, ours, theirs, gap, differs) as
  if(
    differs,
    struct_pack(
      position := nr, "column" := title, ours_value := ours, theirs_value := theirs,
      difference_micros := try_cast(gap as bigint)
    ),
    null
  );

-- why: amounts in two currencies always differ; with one absent, or a difference beyond 64 bits, there is none to state
create or replace macro amount_cell(nr, title, ours, theirs, is_other_currency, tolerance_micros, tolerance_ppm) as cell(
  nr,
  title,
  plain_number(ours::decimal(19, 0) * 0.000001::decimal(7, 6)),
  plain_number(theirs::decimal(19, 0) * 0.000001::decimal(7, 6)),
  ours::hugeint - theirs,
  is_other_currency
    or (ours is null) <> (theirs is null)
    or abs(coalesce(ours, 0)::hugeint - coalesce(theirs, 0))
      > allowed_gap(coalesce(ours, 0), tolerance_micros, tolerance_ppm)
);

create or replace macro number_cell(nr, title, ours, theirs, tolerance_micros, tolerance_ppm) as cell(
  nr,
  title,
  plain_number(ours),
  plain_number(theirs),
  to_micros(ours)::hugeint - to_micros(theirs),
  ours is distinct from theirs
    and coalesce(
      abs(to_micros(ours)::hugeint - to_micros(theirs)) > allowed_gap(to_micros(ours), tolerance_micros, tolerance_ppm),
      true
    )
);

-- why: a text that stands for no value is none, as it is in a column of numbers
create or replace macro said(words) as case
  when lower(trim(words)) not in ('', 'null', 'n/a', 'na', '#n/a', 'nan', 'none', 'nil', '-', '--', '—', '–') then words
end;

-- why: SHELL  CAFÉ is Shell Cafe
create or replace macro folded(words) as regexp_replace(trim(strip_accents(lower(words))), '\s+', ' ', 'g');

create or replace macro text_cell(nr, title, ours, theirs) as cell(
  nr,
  title,
  ours::varchar,
  theirs::varchar,
  null::bigint,
  ours is distinct from theirs and said(ours::varchar) is distinct from said(theirs::varchar)
);

create or replace macro folded_cell(nr, title, ours, theirs) as cell(
  nr,
  title,
  ours::varchar,
  theirs::varchar,
  null::bigint,
  ours is distinct from theirs and folded(said(ours::varchar)) is distinct from folded(said(theirs::varchar))
);

create or replace macro date_cell(nr, title, ours, theirs, window_days) as cell(
  nr,
  title,
  ours::varchar,
  theirs::varchar,
  null::bigint,
  ours is distinct from theirs
    and coalesce(abs(date_diff('day', ours, theirs)) > window_days or window_days = 0, true)
);

-- why: references are quoted with other signs between and without the zeros in front: PMT-00007, pmt 7
create or replace macro plain_reference(quoted) as regexp_replace(
  regexp_replace(lower(strip_accents(quoted)), '[^\p{L}\p{N}]+', '', 'g'), '(^|\D)0+(\d)', '\1\2', 'g'
);

-- why: one side has only the number of INV-00012, or puts another prefix before it
create or replace macro reference_digits(quoted) as array_to_string(
  list_transform(regexp_extract_all(quoted, '[0-9]+'), lambda run: coalesce(nullif(ltrim(run, '0'), ''), '0')), '.'
);

-- why: 54.30 booked as 45.30: two neighbouring digits changed places, which changes an amount by a multiple of nine
create or replace macro digits_swapped(ours, theirs) as
  case
    when sign(ours) <> sign(theirs) or (ours::hugeint - theirs) % 9 <> 0
      or length(abs(ours)::varchar) <> length(abs(theirs)::varchar) then false
    else
      list_transform(
        [list_filter(
          range(1, length(abs(ours)::varchar) + 1),
          lambda i: substr(abs(ours)::varchar, i, 1) <> substr(abs(theirs)::varchar, i, 1)
        )],
        lambda d: len(d) = 2 and d[2] = d[1] + 1
          and substr(abs(ours)::varchar, d[1], 1) = substr(abs(theirs)::varchar, d[2], 1)
          and substr(abs(ours)::varchar, d[2], 1) = substr(abs(theirs)::varchar, d[1], 1)
      )[1]
  end;

-- why: what each row of a relation of entries says, whatever its number, its file and how it is written: a digest of all that
--      rows are told apart by
create or replace macro rows_said(entries) as table
  select
    entry_no, source,
    sha256(array_to_string(
      list_transform(
        [
          ref::varchar, group_ref::varchar, day::varchar, occurred_us::varchar, nullif(currency, ''),
          amount_micros::varchar, quantity_micros::varchar, fee_micros::varchar, fx_rate_nanos::varchar, text, unit_1,
          unit_2, unit_3, unit_4, unit_5, unit_6
        ],
        lambda said: coalesce(trim(said), chr(30))
      ),
      chr(31)
    )) as content
  from query_table(entries);

-- why: what a row says as far as a copy of it says the same: with a reference that and its amount, without one its day,
--      amount and text
create or replace macro alike_said(ref, currency, amount_micros, day, text) as
  hash(ref, currency, amount_micros, if(ref is null, day, null), if(ref is null, text, ''));

-- why: rows that say the same are numbered by the rest of their columns, so that the order of the file never decides
create or replace macro copy_number(content, source, entry_no) as
  cast(row_number() over (partition by content order by source, entry_no) as integer);

-- why: the closed list of changes that would match a row, from what asks least to what is no match at all; the place in it
--      decides which of two changes is smaller, only then their size does
create or replace macro change_rank(kind) as list_position(
  [
    'reference_form', 'amount_digits', 'amount_sign', 'window_days', 'tolerance', 'reference', 'reference_part',
    'review_threshold', 'date', 'currency', 'amount', 'text', 'other_reference', 'taken_reference', 'taken',
    'nothing_near'
  ],
  kind
);
