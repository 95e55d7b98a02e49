-- What the scored pass and its steps share: how alike two rows are. Made when that pass begins, for to make them takes
-- as long as some small steps, and most runs of references have no use for them.

-- why: the first letters of the first two words; '' without a text
create or replace macro initials_of(text) as
  coalesce(left(text, 1) || if(contains(text, ' '), substr(text, instr(text, ' ') + 1, 1), ''), '');

-- why: the first word of three letters or more; '' where there is none. It is the first of all words as a rule
create or replace macro long_word_of(text) as
  coalesce(
    if(length(split_part(text, ' ', 1)) >= 3, split_part(text, ' ', 1), regexp_extract(text, '[^ ]{3,}')), ''
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
    when ours % 9 = theirs % 9
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
  coalesce(list_sum(list_transform(ours_codes, lambda c: if(list_contains(theirs_codes, c), c % 16777216, 0))), 0) / 100000;

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

-- why: the levels of all hints, hint by hint; null where a side has none, which is asked first, for most files have none
create or replace macro unit_levels(ours, theirs) as
  case
    when ours is not null and theirs is not null then [
      unit_level(ours[1], theirs[1]), unit_level(ours[2], theirs[2]), unit_level(ours[3], theirs[3]),
      unit_level(ours[4], theirs[4]), unit_level(ours[5], theirs[5]), unit_level(ours[6], theirs[6])
    ]
  end;

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
