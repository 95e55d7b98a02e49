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

create or replace macro text_cell(nr, title, ours, theirs) as
  cell(nr, title, ours::varchar, theirs::varchar, null::bigint, ours is distinct from theirs);

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

-- why: the gap of two amounts as a share of the larger
create or replace macro gap_share(ours, theirs) as abs(ours::double - theirs) / greatest(abs(ours), abs(theirs));

-- why: how far two amounts are apart, as a level of evidence: 0 equal, 1 to 9 by the gap's share of the larger (negative where
--      ours is smaller), 10 the same digits in another order, 20 equal but for the sign, 21 of opposite signs
create or replace macro amount_level(ours, theirs, share) as
  case
    when ours = theirs then 0
    when ours = -theirs then 20
    when sign(ours) <> sign(theirs) then 21
    when (ours::hugeint - theirs) % 9 = 0
      and list_sort(string_split(abs(ours)::varchar, '')) = list_sort(string_split(abs(theirs)::varchar, '')) then 10
    else
      if(ours > theirs, 1, -1) * case
        when share <= 0.005 then 1 when share <= 0.01 then 2 when share <= 0.02 then 3 when share <= 0.03 then 4
        when share <= 0.05 then 5 when share <= 0.08 then 6 when share <= 0.17 then 7 when share <= 0.50 then 8 else 9
      end
  end;

-- why: by how many days theirs comes after ours (before it: negative), as a level of evidence
create or replace macro time_level(lag_days) as
  sign(lag_days) * case
    when abs(lag_days) <= 3 then abs(lag_days)
    when abs(lag_days) <= 5 then 4
    when abs(lag_days) <= 8 then 5
    when abs(lag_days) <= 14 then 6
    when abs(lag_days) <= 31 then 7
    else 8
  end;

-- why: the rarities of the words that two texts share, together; a word's code ends in its rarity
create or replace macro shared_rarity(ours_codes, theirs_codes) as
  coalesce(list_sum(list_transform(list_intersect(ours_codes, theirs_codes), lambda c: c % 16777216)), 0) / 100000;

-- why: how alike two texts are spelled, as they stand or with their words in order, from 0 to 1 (equal), by Jaro and Winkler;
--      null where a side has no text
create or replace macro spelling(ours, theirs, ours_ordered, theirs_ordered) as
  case
    when ours = '' or theirs = '' then null
    when ours = theirs or ours_ordered = theirs_ordered then 1.0
    else greatest(jaro_winkler_similarity(ours, theirs), jaro_winkler_similarity(ours_ordered, theirs_ordered))
  end;

-- why: how alike two texts are, as a level of evidence: hundreds where the first two words begin alike, tens by spelling
--      (50 equal), ones by the rarity of the words they share; null where a side has no text
create or replace macro text_level(spelling, begins_alike, rarity) as
  if(begins_alike, 100, 0)
  + case
    when spelling = 1 then 50 when spelling >= 0.92 then 40 when spelling >= 0.82 then 30 when spelling >= 0.72 then 20
    when spelling is not null then 10
  end
  + case
    when rarity = 0 then 0 when rarity < 2.5 then 1 when rarity < 5 then 2 when rarity < 7.5 then 3
    when rarity < 10 then 4 else 5
  end;

-- why: a hint such as a store, a name or a terminal, as a level of evidence: 2 equal, 1 alike, 0 neither
create or replace macro unit_level(ours, theirs) as
  case
    when ours = theirs then 2
    when jaro_winkler_similarity(ours, theirs) >= 0.88 then 1
    when ours is not null and theirs is not null then 0
  end;

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

-- why: rows that say the same are numbered by the rest of their columns, so that the order of the file never decides
create or replace macro copy_number(content, source, entry_no) as
  cast(row_number() over (partition by content order by source, entry_no) as integer);

-- why: two rows of one side name the same party where the words they share are rarer than one row in fifty, or are
--      spelt alike throughout
create or replace macro is_same_party(text, other, codes, other_codes) as
  shared_rarity(codes, other_codes) >= 4
    or (text <> '' and other <> '' and jaro_winkler_similarity(text, other) >= 0.92);

-- why: pieces of evidence are less independent than the sum of their weights has them, and the surer a pair looks, the more
--      that adds up: where the truth is known, of the pairs at 0.997 one in forty was wrong. Above 0.97 three tenths of
--      the log-odds beyond it count, and nothing is surer than 0.9995. Below, a confidence keeps what it promises
create or replace macro kept_confidence(likely) as
  if(
    likely <= 0.97, likely,
    least(0.9995, round(1 / (1 + exp(-0.7 * ln(0.97 / 0.03)) * pow(greatest(1 - likely, 1e-9) / likely, 0.3)), 9))
  );

-- why: two amounts of one sign that lie within a sixth of the larger
create or replace macro is_near(ours, theirs) as abs(ours::hugeint - theirs) * 6 <= greatest(abs(ours), abs(theirs));

-- why: two rows that both carry a reference and did not meet by it are not paired by likeness; a row without a day lies
--      within the window of every row
create or replace macro may_meet(ours_ref, theirs_ref, ours_day, theirs_day, window_days) as
  (ours_ref is null or theirs_ref is null) and coalesce(abs(date_diff('day', ours_day, theirs_day)) <= window_days, true);

-- why: a candidate of at most twelve bits against it (a chance of one in four thousand) takes nothing from others, and
--      nothing from it matters; the same bound stands in engine/scoring/pairing.py
create or replace macro is_hopeless(weight) as weight <= -12000000;

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

-- why: how alike two texts are, from 0 (Jaro-Winkler 0.5 and less) to 1; null where a side has none
create or replace macro text_likeness(ours, theirs, ours_words, theirs_words) as
  if(
    coalesce(ours, '') = '' or coalesce(theirs, '') = '', null,
    greatest(
      0.0,
      2 * greatest(
        jaro_winkler_similarity(ours, theirs),
        jaro_winkler_similarity(array_to_string(ours_words, ' '), array_to_string(theirs_words, ' '))
      ) - 1
    )
  );

-- why: how alike two amounts are: 1 where equal, at most 0.9 else, 0 from a sixth apart
create or replace macro amount_likeness(ours, theirs) as
  case
    when ours is null or theirs is null then null
    when ours = theirs then 1.0
    else greatest(
      0.0,
      0.9 - 5.4 * abs(ours::hugeint - theirs)::double / greatest(abs(ours::hugeint), abs(theirs::hugeint))::double
    )
  end;

-- why: the weighted score as score_candidate gives it, from evidence that a change has made different
create or replace macro weighted_score(s_time, s_amount, s_unit, s_text, w_time, w_amount, w_unit, w_text) as
  round(
    (
      if(s_time is null, 0, w_time) * coalesce(s_time, 0) + if(s_amount is null, 0, w_amount) * coalesce(s_amount, 0)
      + if(s_unit is null, 0, w_unit) * coalesce(s_unit, 0) + if(s_text is null, 0, w_text) * coalesce(s_text, 0)
    ) / nullif(
      if(s_time is null, 0, w_time) + if(s_amount is null, 0, w_amount) + if(s_unit is null, 0, w_unit)
      + if(s_text is null, 0, w_text),
      0
    ),
    9
  );

-- why: the share of hints that agree among those that both sides have
create or replace macro unit_likeness(ours, theirs) as
  len(list_filter(list_zip(ours, theirs), lambda p: p[1] = p[2]))
    / nullif(len(list_filter(list_zip(ours, theirs), lambda p: p[1] is not null and p[2] is not null)), 0);

-- why: whether two rows could be worth comparing at all: an amount that is equal but for the sign or within a sixth, or a word
create or replace macro could_meet(ours, theirs, ours_words, theirs_words) as
  coalesce(
    abs(ours) = abs(theirs) or abs(ours::hugeint - theirs) * 6 <= greatest(abs(ours::hugeint), abs(theirs::hugeint)), false
  ) or coalesce(list_has_any(ours_words, theirs_words), false);
